"""Choices that BMS publishes no look-up for, gathered from the records that already use them. Pure."""

from collections.abc import Iterable

from app.kaseya import Account, Contact, LookupRow, Opportunity, Service


class Harvested(LookupRow):
    """One choice that was seen in use; that a choice was not seen proves nothing."""

    table: str


def from_opportunities(opportunities: Iterable[Opportunity]) -> list[Harvested]:
    """Types, ratings and lead sources of opportunities, each once, the most used first."""
    seen: list[tuple[str, int | None, str | None]] = []
    for each in opportunities:
        seen.append(("opportunity-types", each.type_id, each.type))
        seen.append(("opportunity-ratings", each.rating_id, each.rating))
        seen.append(("lead-sources", each.lead_source_id, each.lead_source))
    return _most_used_first(seen)


def from_accounts(accounts: Iterable[Account]) -> list[Harvested]:
    """Business types and account types of active accounts."""
    seen: list[tuple[str, int | None, str | None]] = []
    for each in accounts:
        if each.is_active:
            seen.append(("business-types", each.business_type_id, each.business_type))
            seen.append(("account-types", each.account_type_id, each.account_type))
    return _most_used_first(seen)


def from_contacts(contacts: Iterable[Contact]) -> list[Harvested]:
    """Kinds of telephone numbers and e-mail addresses of contacts."""
    seen: list[tuple[str, int | None, str | None]] = []
    for each in contacts:
        seen += [("phone-types", phone.phone_type_id, phone.phone_type) for phone in each.phones]
        seen += [("email-types", email.email_type_id, email.email_type) for email in each.emails]
    return _most_used_first(seen)


def from_services(services: Iterable[Service]) -> list[Harvested]:
    """Categories of services."""
    return _most_used_first(("service-categories", each.category_id, each.category) for each in services)


def _most_used_first(seen: Iterable[tuple[str, int | None, str | None]]) -> list[Harvested]:
    uses: dict[tuple[str, int], int] = {}
    names: dict[tuple[str, int], str | None] = {}
    for table, choice_id, name in seen:
        if choice_id is not None:
            uses[table, choice_id] = uses.get((table, choice_id), 0) + 1
            names[table, choice_id] = names.get((table, choice_id)) or name
    order = sorted(uses, key=lambda key: (key[0], -uses[key], key[1]))
    return [Harvested(table=table, id=choice_id, name=names[table, choice_id]) for table, choice_id in order]
