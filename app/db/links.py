"""The SQL of links: which BMS records a quote became, written in the transaction that closes their intent."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.tables import Intent, Item, Link, LinkLine


async def load(session: AsyncSession, connection_id: str, quote_id: str) -> tuple[Link, list[LinkLine]]:
    """The quote's link and line map; a quote that became nothing yet has an empty link."""
    link = await session.get(Link, (connection_id, quote_id))
    lines = await session.scalars(
        select(LinkLine).where(LinkLine.connection_id == connection_id, LinkLine.quote_id == quote_id)
    )
    return link or Link(connection_id=connection_id, quote_id=quote_id, pdf_tries=0), list(lines)


async def save(session: AsyncSession, connection_id: str, quote_id: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Write some of the link's columns."""
    await session.execute(
        insert(Link)
        .values(connection_id=connection_id, quote_id=quote_id, **values)
        .on_conflict_do_update(index_elements=[Link.connection_id, Link.quote_id], set_=values)
    )


async def of_other_opportunities(
    session: AsyncSession, connection_id: str, opportunity_id: int, quotation_ids: Collection[int]
) -> set[int]:
    """Which of these quotations belong to other opportunities, as quotes are linked with them."""
    found = await session.scalars(
        select(Link.quotation_id).where(
            Link.connection_id == connection_id,
            Link.opportunity_id != opportunity_id,
            Link.quotation_id.in_(quotation_ids),
        )
    )
    return {each for each in found if each is not None}


async def save_line(session: AsyncSession, connection_id: str, quote_id: str, line_id: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Write a line into the line map."""
    key = [LinkLine.connection_id, LinkLine.quote_id, LinkLine.line_id]
    await session.execute(
        insert(LinkLine)
        .values(connection_id=connection_id, quote_id=quote_id, line_id=line_id, **values)
        .on_conflict_do_update(index_elements=key, set_=values)
    )


async def forget_line(session: AsyncSession, connection_id: str, quote_id: str, line_id: str) -> None:
    """Take a line out of the line map."""
    await session.execute(
        delete(LinkLine).where(
            LinkLine.connection_id == connection_id, LinkLine.quote_id == quote_id, LinkLine.line_id == line_id
        )
    )


async def items(session: AsyncSession, connection_id: str, kind: str, keys: set[str]) -> dict[str, Item]:
    """What is known of these folded codes or names, by key."""
    found = await session.scalars(
        select(Item).where(Item.connection_id == connection_id, Item.kind == kind, Item.key.in_(keys))
    )
    return {item.key: item for item in found}


async def save_item(session: AsyncSession, connection_id: str, kind: str, key: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Remember which BMS item a folded code or name is."""
    await session.execute(
        insert(Item)
        .values(connection_id=connection_id, kind=kind, key=key, **values)
        .on_conflict_do_update(index_elements=[Item.connection_id, Item.kind, Item.key], set_=values)
    )


async def forget_item(session: AsyncSession, connection_id: str, kind: str, key: str) -> None:
    """Forget an item that BMS does not take any more."""
    await session.execute(delete(Item).where(Item.connection_id == connection_id, Item.kind == kind, Item.key == key))


async def forget_lines(session: AsyncSession, connection_id: str, quote_id: str) -> None:
    """Forget the whole line map of a quote, and that its lines were ever sent.

    Of creates that were in doubt the note stays until their late look: BMS may still apply them where they were sent.
    """
    await session.execute(
        delete(LinkLine).where(LinkLine.connection_id == connection_id, LinkLine.quote_id == quote_id)
    )
    sent = (
        Intent.connection_id == connection_id,
        Intent.quote_id == quote_id,
        Intent.kind.in_(["line", "quotation"]),
    )
    await session.execute(delete(Intent).where(*sent, Intent.audit_at.is_(None)))
    await session.execute(update(Intent).where(*sent).values(state="resend", result=None, look_at=None))
