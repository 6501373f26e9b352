"""Accounts, locations, contacts and opportunities. A text filter means "contains"; whoever needs equality checks it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from app.kaseya.records import (
    Account,
    AccountInput,
    AccountLookup,
    Contact,
    ContactInput,
    Location,
    Opportunity,
    OpportunityInput,
    OpportunityNote,
    OpportunityStatus,
)
from app.kaseya.resource import Resource


class Accounts(Resource):
    """Companies."""

    async def search(self, name: str, *, max_pages: int | None = None) -> list[Account]:
        """List accounts whose name contains the text, inactive ones too, at most `max_pages` pages of 100."""
        query = {"Filter.AccountName": name or None}
        return await self._list_paged(Account, "GET", "/v2/crm/accounts/summary", query=query, max_pages=max_pages)

    async def lookup(self, name: str, *, with_inactive: bool = True) -> list[AccountLookup]:
        """List id and name of accounts whose name contains the text."""
        query = {"Filter.Name": name or None, "Filter.WithInactiveAccounts": with_inactive}
        return await self._list_paged(AccountLookup, "GET", "/v2/crm/accounts/lookup", query=query)

    async def get(self, account_id: int) -> Account:
        """Read an account with its locations; KaseyaNotFoundError where it is gone."""
        return await self._one(Account, "GET", "/v2/crm/accounts/summary/{id}", path={"id": account_id})

    async def create(self, account: AccountInput) -> Account:
        """Create an account with its locations."""
        return await self._one(Account, "POST", "/v2/crm/accounts", json=account.to_wire(), creates=True)


class Locations(Resource):
    """Places of an account."""

    async def of(self, account_id: int) -> list[Location]:
        """List an account's locations, with name and `is_main` only."""
        template = "/v2/crm/accounts/{accountId}/locations/lookup"
        return await self._list(Location, "GET", template, path={"accountId": account_id})


class Contacts(Resource):
    """People at accounts."""

    async def search(
        self,
        *,
        account_ids: Collection[int] = (),
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        account_name: str | None = None,
        phone: str | None = None,
        max_pages: int | None = None,
    ) -> list[Contact]:
        """List contacts that match all that is given, at most `max_pages` pages of 100."""
        if phone is not None:
            names = {"Filter.FirstName": first_name, "Filter.LastName": last_name, "Filter.AccountName": account_name}
            asked = {"Filter.Phone": phone, "Filter.Email": email, **names}
            return await self._search_by_phone(asked, account_ids, max_pages)
        query = {
            "Filter.AccountIds": sorted(account_ids),
            "Filter.EmailAddress": email,
            "Filter.FirstName": first_name,
            "Filter.LastName": last_name,
            "Filter.AccountName": account_name,
        }
        return await self._list_paged(Contact, "GET", "/v2/crm/contacts/search", query=query, max_pages=max_pages)

    async def get(self, contact_id: int) -> Contact:
        """Read a contact; KaseyaNotFoundError where it is gone."""
        return await self._one(Contact, "GET", "/v2/crm/contacts/summary/{id}", path={"id": contact_id})

    async def create(self, contact: ContactInput) -> Contact:
        """Create a contact; the path that looks like a list's is the vendor's."""
        return await self._one(Contact, "POST", "/v2/crm/contacts/summary", json=contact.to_wire(), creates=True)

    async def _search_by_phone(
        self, asked: Mapping[str, str | None], account_ids: Collection[int], max_pages: int | None
    ) -> list[Contact]:
        """Ask the only list that filters by phone; it takes one account at most, so several are sorted out here."""
        query = {"Filter.AccountId": next(iter(account_ids)) if len(account_ids) == 1 else None, **asked}
        found = await self._list_paged(Contact, "GET", "/v2/crm/contacts/summary", query=query, max_pages=max_pages)
        return [contact for contact in found if not account_ids or contact.account_id in account_ids]


class Opportunities(Resource):
    """Opportunities. BMS neither deletes them nor takes partial updates."""

    async def search(
        self,
        *,
        account_id: int | None = None,
        status_id: int | None = None,
        modified_from: datetime | None = None,
        created_from: datetime | None = None,
        max_pages: int | None = None,
    ) -> list[Opportunity]:
        """List opportunities that match all that is given, at most `max_pages` pages of 100."""
        query = {
            "Filter.AccountId": account_id,
            "Filter.StatusId": status_id,
            "Filter.ModifiedOnFrom": modified_from,
            "Filter.CreatedOnFrom": created_from,
        }
        return await self._list_paged(Opportunity, "GET", "/v2/crm/opportunities", query=query, max_pages=max_pages)

    async def get(self, opportunity_id: int) -> Opportunity:
        """Read an opportunity; KaseyaNotFoundError where it is gone."""
        return await self._one(Opportunity, "GET", "/v2/crm/opportunities/{id}", path={"id": opportunity_id})

    async def create(self, opportunity: OpportunityInput) -> Opportunity:
        """Create an opportunity."""
        return await self._one(Opportunity, "POST", "/v2/crm/opportunities", json=opportunity.to_wire(), creates=True)

    async def update(self, opportunity_id: int, opportunity: OpportunityInput) -> Opportunity:
        """Replace an opportunity: what the input leaves out is emptied."""
        path = {"id": opportunity_id}
        return await self._one(Opportunity, "PUT", "/v2/crm/opportunities/{id}", path=path, json=opportunity.to_wire())

    async def statuses(self) -> list[OpportunityStatus]:
        """List the stages that this tenant has defined."""
        return await self._list(OpportunityStatus, "GET", "/v2/crm/opportunities/statuses/Lookup")

    async def notes(self, opportunity_id: int) -> list[OpportunityNote]:
        """List an opportunity's notes."""
        template = "/v2/crm/opportunities/{id}/notes"
        return await self._list_paged(OpportunityNote, "GET", template, path={"id": opportunity_id})

    async def add_note(self, opportunity_id: int, text: str) -> OpportunityNote:
        """Add a note, which may not be empty."""
        template, path = "/v2/crm/opportunities/{id}/notes", {"id": opportunity_id}
        return await self._one(OpportunityNote, "POST", template, path=path, json={"Note": text}, creates=True)
