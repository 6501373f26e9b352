"""What a tenant's own swagger offers beyond the published contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from app.kaseya.errors import CapabilityMissingError

_PARAMETER = re.compile(r"\{[^{}/]*\}")


class Operation(NamedTuple):
    """A method and the path template it is called with."""

    method: str
    template: str


class Capability(StrEnum):
    """An operation that the published contract lacks and a tenant may have."""

    QUOTATION_CREATE = "quotation_create"
    QUOTATION_UPDATE = "quotation_update"
    QUOTATION_LINES_LIST = "quotation_lines_list"
    QUOTATION_LINE_DELETE = "quotation_line_delete"
    PRODUCT_CREATE = "product_create"


OPERATIONS = {
    Capability.QUOTATION_CREATE: Operation("POST", "/v2/crm/quotes"),
    Capability.QUOTATION_UPDATE: Operation("PUT", "/v2/crm/quotes/{quotationId}"),
    Capability.QUOTATION_LINES_LIST: Operation("GET", "/v2/crm/quotes/{quotationId}/lineItems"),
    Capability.QUOTATION_LINE_DELETE: Operation("DELETE", "/v2/crm/quotes/{quotationId}/lineItems/{lineItemId}"),
    Capability.PRODUCT_CREATE: Operation("POST", "/v2/inventory/products"),
}
"""The operation that each capability stands for: assumed shapes, named after v2's own habits."""


def read_capabilities(swagger: Mapping[str, Any]) -> frozenset[Capability]:
    """Return the capabilities whose operation the swagger lists, whatever its letter case and parameter names.

    A document without readable paths has none.
    """
    paths = next((value for key, value in swagger.items() if key.lower() == "paths"), None)
    if not isinstance(paths, Mapping):
        return frozenset()
    offered = {
        (method.upper(), _shape(path))
        for path, methods in paths.items()
        if isinstance(methods, Mapping)
        for method in methods
    }
    return frozenset(
        capability for capability, (method, template) in OPERATIONS.items() if (method, _shape(template)) in offered
    )


def require(capabilities: frozenset[Capability], capability: Capability) -> Operation:
    """Return a capability's operation; raise CapabilityMissingError where it is not there."""
    operation = OPERATIONS[capability]
    if capability not in capabilities:
        endpoint = " ".join(operation)
        message = f"This tenant's BMS offers no {endpoint}, so {capability} is not possible."
        raise CapabilityMissingError(message, capability=capability, endpoint=endpoint)
    return operation


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path.rstrip("/")).lower()
