"""JSON Patch on one record, as far as BMS clients use it: replace and add of a top-level field."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.contract import json_list_of
from sandbox.errors import RefusedError
from sandbox.shapes import Problem, Record, Shape, shape

PATCH = json_list_of(shape("Operation", "OperationType int, path text?, op text?, from text?, value any?"))


def apply_patch(operations: Sequence[Record], record: Record, accepts: Shape) -> Record:
    """Return the record's writable fields after the patch. Raises RefusedError for what cannot be patched."""
    changes: Record = {}
    problems: list[Problem] = []
    for operation in operations:
        target = accepts.find(str(operation.get("path") or "").strip("/"))
        if target is None or str(operation.get("op")).lower() not in {"replace", "add"}:
            raise RefusedError(f"The patch operation {operation!r} is not supported.", is_violation=True)
        changes[target.name] = operation.get("value")
        problems += target.check(changes[target.name], target.name)
    if problems:
        raise RefusedError("The patch is not valid.", is_violation=True, problems=problems)
    return {each.name: record.get(each.name) for each in accepts.fields} | changes
