"""The steps of a plan: data that can be printed, compared, dry-run, and then applied one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.connections.model import ItemKind
from app.kaseya.records import LineItemInput, OpportunityInput
from app.quotes.model import Account, Contact, Line, Pdf


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a BMS record, before and after; ``before`` is None for a record that is new."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do in BMS. ``kaseya_id`` is None for a record that does not exist yet."""

    changes: tuple[Change, ...] = ()

    action = "update"
    resource = "record"

    @property
    def kaseya_id(self) -> int | None:
        """The BMS record that the step is about."""
        return None

    def to_json(self) -> dict[str, Any]:
        """As previewed and as kept with a run: ``{action, resource, kaseya_id, changes}``."""
        return {
            "action": self.action,
            "resource": self.resource,
            "kaseya_id": None if self.kaseya_id is None else str(self.kaseya_id),
            "changes": [{"field": c.field, "before": _text(c.before), "after": _text(c.after)} for c in self.changes],
        }


def _text(value: Any) -> Any:  # noqa: ANN401 - any value of a BMS field
    return value if value is None or isinstance(value, bool | str) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAccount(Step):
    """Create the account, with its main location."""

    account: Account
    action = "create"
    resource = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContact(Step):
    """Create the contact at the account's main location."""

    contact: Contact
    action = "create"
    resource = "contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOpportunity(Step):
    """Create the opportunity; account, location and contact are filled in when they exist."""

    fields: Mapping[str, Any]
    sent: Mapping[str, Any]
    action = "create"
    resource = "opportunity"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOpportunity(Step):
    """Write the whole opportunity back with our fields changed; no call where nothing changed.

    The contact is filled in when it exists.
    """

    opportunity_id: int
    body: OpportunityInput
    sent: Mapping[str, Any]
    resource = "opportunity"

    @property
    def kaseya_id(self) -> int | None:
        """The opportunity."""
        return self.opportunity_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateQuotation(Step):
    """Create the quotation's header."""

    fields: Mapping[str, Any]
    backdated: bool = False
    action = "create"
    resource = "quotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateQuotation(Step):
    """Write the quotation's header back."""

    quotation_id: int
    fields: Mapping[str, Any]
    backdated: bool = False
    resource = "quotation"

    @property
    def kaseya_id(self) -> int | None:
        """The quotation."""
        return self.quotation_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateItem(Step):
    """Create the service or product that lines of this key stand for."""

    kind: ItemKind
    key: str
    fields: Mapping[str, Any]
    action = "create"

    @property
    def resource(self) -> str:  # type: ignore[override] # told by the kind
        """A service or a product."""
        return self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLine(Step):
    """Add a line. ``item_id`` is None where the item of ``item_key`` is created by an earlier step."""

    line: Line
    kind: ItemKind
    item_type_id: int
    distributor_type_id: int
    item_id: int | None
    item_key: str
    body: LineItemInput
    sent: Mapping[str, Any] = field(default_factory=dict)
    action = "create"
    resource = "quotation_line"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLine(Step):
    """Write a line back; with ``removed`` its quantity goes to zero, since this tenant cannot delete lines.

    A ``replaced`` one leaves our line map then, for the line of another item that follows.
    """

    line_id: str
    kaseya_line_id: int
    body: LineItemInput
    sent: Mapping[str, Any]
    removed: bool = False
    replaced: bool = False
    resource = "quotation_line"

    @property
    def kaseya_id(self) -> int | None:
        """The line."""
        return self.kaseya_line_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveLine(Step):
    """Delete a line that is not on the quote any more."""

    line_id: str
    kaseya_line_id: int
    action = "delete"
    resource = "quotation_line"

    @property
    def kaseya_id(self) -> int | None:
        """The line."""
        return self.kaseya_line_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPdf(Step):
    """Attach the PDF to the opportunity if its content changed, then remove the one of before."""

    pdf: Pdf
    module_id: int
    action = "create"
    resource = "attachment"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteNote(Step):
    """Write the quote's address as a note on the opportunity, where the PDF cannot be attached."""

    url: str
    action = "create"
    resource = "note"
