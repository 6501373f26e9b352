"""A posted form of settings becomes settings, and what is wrong with them is told by pointer. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from app.connections.checks import Fault
from app.console.settings_fields import ACCOUNT, GROUPS, SERVICE_QUOTATION, Field

MOST_OVERRIDES = 200


def read(form: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a posted form describes, not checked yet."""
    settings: dict[str, Any] = {}
    for group in GROUPS:
        for field in group.fields:
            _, name, key = field.pointer.split("/")
            settings.setdefault(name, {})[key] = _value(form, field)
    settings["item_types"] = _overrides(form)
    return settings


def at(settings: Mapping[str, Any], pointer: str) -> Any:  # noqa: ANN401 - any setting
    """The setting that a pointer names; None where there is none."""
    value: Any = settings
    for part in pointer.strip("/").split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def faults_of(error: ValidationError) -> list[Fault]:
    """What is wrong, by pointer, in words for somebody at a form."""
    return [_fault(each) for each in error.errors(include_url=False)]


def by_pointer(faults: Iterable[Fault]) -> dict[str, str]:
    """The faults as the page shows them: beside the setting that each is about."""
    return {fault.pointer: fault.message for fault in faults}


def _value(form: Mapping[str, str], field: Field) -> Any:  # noqa: ANN401 - any setting
    given = form.get(field.pointer, "")
    match field.shape:
        case "check":
            return bool(given)
        case "choice":
            return form.get(f"{field.pointer}#id") or given or None
        case "item_type":
            return _item_type(form.get(f"{field.pointer}/kind", ""), form.get(f"{field.pointer}/item_type_id", ""))
        case "id":
            return given or (None if field is not _DISTRIBUTOR else "0")
        case _:
            return given if given or field.needed else None


_DISTRIBUTOR = next(
    field for field in SERVICE_QUOTATION.fields if field.pointer == "/service_quotation/distributor_type_id"
)


def _item_type(kind: str, item_type_id: str) -> dict[str, str] | None:
    if not kind and not item_type_id:
        return None
    return {name: value for name, value in (("kind", kind), ("item_type_id", item_type_id)) if value}


def _overrides(form: Mapping[str, str]) -> dict[str, Any]:
    """Each category's own item type; a row without a category is not meant."""
    overrides = {}
    for row in range(MOST_OVERRIDES):
        if category := form.get(f"item_types/{row}/category"):
            kind, item_type_id = form.get(f"item_types/{row}/kind", ""), form.get(f"item_types/{row}/item_type_id", "")
            if chosen := _item_type(kind, item_type_id):
                overrides[category] = chosen
    return overrides


def _fault(error: Mapping[str, Any]) -> Fault:
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"])
    if error["type"] == "missing" or error["input"] is None:
        return Fault(pointer, "This is needed: choose one, or enter its id.")
    if pointer == ACCOUNT.pointer:
        said = "To create accounts, choose an account type, a business type and an account manager; or switch it off."
        return Fault(pointer, said)
    if "id" in pointer.rpartition("/")[2].split("_"):
        return Fault(pointer, "An id is a whole number, as BMS shows it.")
    said = str(error["msg"]).removeprefix("Value error, ")
    return Fault(pointer, said[:1].upper() + said[1:].rstrip(".") + ".")
