"""The place of a created record among our links: a column of the link, a line of the line map, or an item."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import links
from app.db.tables import Intent, Link, LinkLine
from app.sync.errand import Errand

Result = Mapping[str, Any]


def fits(intent: Intent, link: Link) -> bool:
    """Whether what an intent may have made still belongs to the account, opportunity or quotation that it was for."""
    hint = intent.hint
    match intent.kind:
        case "contact" | "opportunity":
            return bool(link.account_id == hint["account_id"])
        case "quotation":
            return bool(link.opportunity_id == hint["opportunity_id"])
        case "line":
            return bool(link.quotation_id == hint["quotation_id"])
        case _:
            return True


async def linked_id(session: AsyncSession, errand: Errand, intent: Intent) -> int | None:
    """The record that is in the intent's place at present; attachments and notes never stand in each other's."""
    hint, link = intent.hint, errand.link
    match intent.kind:
        case "service" | "product":
            known = await links.items(session, errand.connection_id, intent.kind, {hint["key"]})
            return known[hint["key"]].kaseya_id if known else None
        case "line":
            line = errand.lines.get(hint["line_id"])
            return line.kaseya_line_id if line else None
        case "account" | "contact" | "opportunity" | "quotation":
            found: int | None = getattr(link, f"{intent.kind}_id")
            return found
        case _:
            return None


async def remember(session: AsyncSession, errand: Errand, kind: str, hint: Mapping[str, Any], result: Result) -> None:
    """Write what was made into its place."""
    connection_id, quote_id, made = errand.connection_id, errand.quote_id, result["id"]
    match kind:
        case "service" | "product":
            priced = {"unit_price": hint.get("unit_price"), "unit_cost": hint.get("unit_cost")}
            await links.save_item(session, connection_id, kind, hint["key"], kaseya_id=made, **priced)
        case "line":
            values = {name: hint[name] for name in ("item_kind", "item_id")} | {
                "sent": result.get("sent", hint["sent"])
            }
            await links.save_line(
                session, connection_id, quote_id, hint["line_id"], kaseya_line_id=made, removed=False, **values
            )
            errand.lines[hint["line_id"]] = LinkLine(line_id=hint["line_id"], kaseya_line_id=made, **values)
        case _:
            values = link_values(kind, hint, result)
            await links.save(session, connection_id, quote_id, **values)
            for name, value in values.items():
                setattr(errand.link, name, value)


def link_values(kind: str, hint: Mapping[str, Any], result: Result) -> dict[str, Any]:
    """The link's columns that a created record fills."""
    match kind:
        case "account":
            return {"account_id": result["id"], "location_id": result["location_id"]}
        case "contact":
            return {"contact_id": result["id"]}
        case "opportunity":
            return {"opportunity_id": result["id"], "opportunity_sent": hint["sent"]}
        case "quotation":
            return {"quotation_id": result["id"], "quotation_sent": result.get("sent", hint["sent"])}
        case "note":
            return {"noted_url": hint["url"]}
        case _:
            return {
                "attachment_id": result["id"],
                "attachment_digest": hint["digest"],
                "attachment_name": hint["name"],
            }
