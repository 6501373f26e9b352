"""Live pickers for a person who types: accounts, contacts, opportunities and items, at few BMS calls."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from app.db.tables import Connection
from app.directory.lookups import Directory
from app.directory.recent import Found
from app.kaseya import Account, Contact, KaseyaClient, Opportunity, Product, Service

SHORTEST = 2
"""A shorter text would list half of BMS."""

MOST_STATUSES = 4
"""Up to so many selectable statuses are listed one by one; with more, one list of all opportunities costs less."""

PAGE = 100
_DIGITS = re.compile(r"\D+")


def says_enough(search: str) -> bool:
    """Whether a text is long enough to search for."""
    return any(len(word) >= SHORTEST for word in search.split())


async def find_accounts(
    directory: Directory, connection: Connection, client: KaseyaClient, search: str
) -> Found[Account]:
    """Accounts whose name or code contains every word; one BMS call for the first letters, none for those after."""

    async def ask(word: str, calls: int) -> Found[Account]:
        return await _gather([lambda: client.accounts.search(word, max_pages=1)], calls=calls)

    return await directory.recent.find((connection.id, "accounts"), search, ask=ask, matches=_matches_account)


async def find_contacts(
    directory: Directory, connection: Connection, client: KaseyaClient, search: str
) -> Found[Contact]:
    """Active contacts by first or last name, e-mail address, telephone number or company.

    BMS joins its filters with "and", so each of them is a call of its own: four for a word, one for an e-mail address
    and two for a number; a single one where the word finds more than a page.
    """

    async def ask(word: str, calls: int) -> Found[Contact]:
        search = partial(client.contacts.search, max_pages=1)
        if "@" in word:
            asks = [partial(search, email=word)]
        elif not any(character.isalpha() for character in word):
            asks = [partial(search, phone=word), partial(search, account_name=word)]
        else:
            asks = [
                partial(search, last_name=word),
                partial(search, first_name=word),
                partial(search, account_name=word),
                partial(search, email=word),
            ]
        found = await _gather(asks, calls=calls)
        by_id = {contact.id: contact for contact in reversed(found.rows) if contact.is_active}
        return replace(found, rows=tuple(by_id[each] for each in sorted(by_id)))

    return await directory.recent.find((connection.id, "contacts"), search, ask=ask, matches=_matches_contact)


async def find_opportunities(
    directory: Directory,
    connection: Connection,
    client: KaseyaClient,
    *,
    search: str = "",
    account_id: int | None = None,
    contact_id: int | None = None,
) -> Found[Opportunity]:
    """Opportunities that a quote may be linked to: Base Status Open and active, whatever the status mapping says.

    BMS searches opportunities by account and status, not by text: the list is read once and the text narrows it here.
    """
    selectable = {row.id for row in await directory.statuses(connection, client) if row.is_selectable}
    if account_id is None and contact_id is not None:
        account_id = (await client.contacts.get(contact_id)).account_id

    async def ask() -> Found[Opportunity]:
        return await _list_selectable(client, selectable, account_id)

    subject = connection.id, "opportunities", account_id
    found = await directory.recent.find_among(subject, search, ask=ask, matches=_matches_opportunity)
    rows = tuple(row for row in found.rows if contact_id in (None, row.contact_id))
    return Found(rows, complete=found.complete)


async def _list_selectable(client: KaseyaClient, selectable: set[int], account_id: int | None) -> Found[Opportunity]:
    if account_id is not None:
        rows = await client.opportunities.search(account_id=account_id)
        return Found(tuple(row for row in rows if row.status_id in selectable))
    if len(selectable) > MOST_STATUSES:
        rows = await client.opportunities.search(max_pages=MOST_STATUSES)
        complete = len(rows) < MOST_STATUSES * PAGE
        return Found(tuple(row for row in rows if row.status_id in selectable), complete=complete)
    found: list[Opportunity] = []
    complete = True
    for status_id in sorted(selectable):
        rows = await client.opportunities.search(status_id=status_id, max_pages=1)
        found += rows
        complete = complete and len(rows) < PAGE
    return Found(tuple(found), complete=complete)


Item = Service | Product


async def find_items(directory: Directory, connection: Connection, client: KaseyaClient, search: str) -> Found[Item]:
    """Active services by name, and products by name or number: three BMS calls for the first letters."""

    async def ask(word: str, calls: int) -> Found[Item]:
        asks: list[Ask[Item]] = [
            partial(client.services.search, word, max_pages=1),
            partial(client.products.search, number=word, max_pages=1),
            partial(client.products.search, name=word, max_pages=1),
        ]
        found = await _gather(asks, calls=calls)
        services = [row for row in found.rows if isinstance(row, Service) and row.is_active]
        products = {row.product_index_id: row for row in found.rows if isinstance(row, Product)}
        return replace(found, rows=(*services, *products.values()))

    return await directory.recent.find((connection.id, "items"), search, ask=ask, matches=_matches_item)


RowT = TypeVar("RowT")
Ask = Callable[[], Awaitable[Sequence[RowT]]]


async def _gather(asks: Sequence[Ask[RowT]], *, calls: int) -> Found[RowT]:
    """One page for each way to look for a word, one after the other, ``calls`` at most.

    The first full page ends it: the word says too little in this BMS, and the calls are better kept for a longer one.
    """
    rows: list[RowT] = []
    for made, ask in enumerate(asks[:calls], start=1):
        page = await ask()
        rows += page
        if len(page) >= PAGE:
            return Found(tuple(rows), complete=False, calls=made)
    return Found(tuple(rows), complete=calls >= len(asks), calls=min(calls, len(asks)))


def _matches_account(row: Account, words: Sequence[str]) -> bool:
    return _holds(words, row.account_name, row.account_code)


def _matches_contact(row: Contact, words: Sequence[str]) -> bool:
    telephone = _DIGITS.sub("", row.phone_number or "")
    plain = [word for word in words if not (_is_number(word) and _DIGITS.sub("", word) in telephone)]
    return _holds(plain, row.first_name, row.last_name, row.email_address, row.account_name, row.phone_number)


def _matches_opportunity(row: Opportunity, words: Sequence[str]) -> bool:
    return _holds(words, row.subject, row.account_name, row.contact_first_name, row.contact_last_name, str(row.id))


def _matches_item(row: Item, words: Sequence[str]) -> bool:
    if isinstance(row, Service):
        return _holds(words, row.name)
    return _holds(words, row.product_number, row.product_name)


def _is_number(word: str) -> bool:
    return any(character.isdigit() for character in word) and not any(character.isalpha() for character in word)


def _holds(words: Sequence[str], *fields: str | None) -> bool:
    folded = [field.casefold() for field in fields if field]
    return all(any(word in field for field in folded) for word in words)
