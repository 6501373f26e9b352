"""The JSON webhook's body: one strict validation, then the canonical event; every fault with its place."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.intake.canonical import canonical_json, content_digest, from_canonical
from app.intake.problems import FieldError, InvalidEventError
from app.intake.strict_json import MAX_ERRORS, check_json, pointer
from app.intake.wire import EventIn, QuoteIn
from app.quotes.model import STATUSES_OF, QuoteEvent

__all__ = ["canonical_json", "content_digest", "from_canonical", "parse"]

_SENTENCES = {
    "missing": "This field is required.",
    "string_type": "This must be a string.",
    "string_too_short": "This must not be blank.",
    "string_too_long": "This must have at most {max_length} characters.",
    "bool_type": "This must be true or false.",
    "int_type": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "enum": "This must be {expected}.",
    "list_type": "This must be a list.",
    "too_long": "This must have at most {max_length} entries.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "dataclass_type": "This must be an object.",
    "string_pattern_mismatch": "This does not have the form {pattern}.",
    "refused": "{message}",
}


def parse(body: bytes) -> QuoteEvent:
    """Read the body of a quote event.

    Raises:
        InvalidEventError: It is not one; up to 50 faults are named.
    """
    check_json(body)
    try:
        event = EventIn.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        raise InvalidEventError(
            tuple(FieldError(pointer(*detail["loc"]), _sentence(detail)) for detail in details)
        ) from None
    if faults := tuple(_contradictions(event))[:MAX_ERRORS]:
        raise InvalidEventError(faults)
    return event.to_event()


def _sentence(detail: ErrorDetails) -> str:
    template = _SENTENCES.get(detail["type"])
    return template.format(**detail.get("ctx", {})) if template else f"{detail['msg']}."


def _contradictions(event: EventIn) -> Iterator[FieldError]:
    """Faults that no single field shows."""
    quote = event.data
    if quote.status not in STATUSES_OF[event.type]:
        fitting = " or ".join(sorted(STATUSES_OF[event.type]))
        yield FieldError("/data/status", f"The status of a {event.type} event must be {fitting}.")
    if not quote.account.name and quote.account.kaseya_account_id is None:
        yield FieldError("/data/account", "The account needs a name or a kaseya_account_id.")
    yield from _repeated_lines(quote)


def _repeated_lines(quote: QuoteIn) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, line in enumerate(quote.lines):
        if line.line_id in seen:
            yield FieldError(f"/data/lines/{index}/line_id", "Another line of this quote has the same line_id.")
        seen.add(line.line_id)
