"""What must hold: no record twice that nobody was told of, BMS as the newest quotes want it, nothing undone."""

import hashlib
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

from sqlalchemy import select

from app.db.session import Database
from app.db.tables import Event, Issue, Item, Link, LinkLine
from app.db.tables import Quote as QuoteRow
from app.sync.mapping import fold, marker
from sandbox.world import World
from simulation.people import CONNECTION_ID
from simulation.quotes import Json, Quote
from simulation.wire import SIGN_IN, VirtualWire

LINKED = ("account", "contact", "opportunity", "quotation")
COLLECTIONS = ("accounts", "contacts", "opportunities", "quotations", "services", "products")
READS_A_QUOTE = 3
"""Whether the status, the employee and the warehouse that the settings name are still there."""
STATUS_ID = {"pending": 102, "accepted": 103, "lost": 104}
EXPECTED_ISSUES = frozenset({"line-in-doubt", "duplicate-found", "kaseya-rejected", "retries-exhausted"})
KEYS: dict[str, Callable[[Json], object]] = {
    "accounts": lambda row: fold(row["AccountName"]),
    "contacts": lambda row: (row["AccountId"], *(each["EmailAddress"] for each in row["Emails"])),
    "services": lambda row: fold(row["Name"]),
    "products": lambda row: fold(row["ProductNumber"]),
    "quotations": lambda row: row["OpportunityId"],
    "attachments": lambda row: (row["ObjectId"], row["OriginalFileName"]),
    "lines": lambda row: (row["QuotationId"], row["Name"], row["Id"] if not row["Quantity"] else 0),
    "opportunities": lambda row: row["Description"] or row["Id"],
}


class SimulationError(Exception):
    """The engine broke its word under this seed."""


class Verdict:
    """Watches BMS while a seed plays, and judges it at rest."""

    def __init__(
        self, quotes: Sequence[Quote], world: World, wire: VirtualWire, database: Database, *, patience: timedelta
    ) -> None:
        """``patience`` is how old the engine's last look may be at most when it sends a create again."""
        self._quotes = quotes
        self._world = world
        self._wire = wire
        self._database = database
        self._patience = patience
        self._shown: dict[int, int] = {}
        self._told: set[int] = set()
        self._planted = {name: {row["Id"] for row in world.store.all(name)} for name in KEYS}

    def watch(self) -> None:
        """No opportunity may go back to an older version of its quote, in particular never from won or lost."""
        for row in self._world.store.all("opportunities"):
            if "[quotebridge:" not in (row["Description"] or ""):
                continue
            version = int(row["Amount"]) % 1000
            if version < self._shown.get(row["Id"], 0):
                raise SimulationError(f"Opportunity {row['Id']} went back to version {version} of its quote.")
            self._shown[row["Id"]] = version

    def hear(self, issue: Issue) -> None:
        """Note what an issue tells people. Raises SimulationError for one that faults alone must not bring about."""
        is_unreadable = issue.code == "unexpected-error" and "cannot be understood" in issue.detail
        if issue.code not in EXPECTED_ISSUES and not is_unreadable:
            raise SimulationError(f"Issue {issue.code}: {issue.detail}")
        if issue.code == "duplicate-found":
            self._told.update(int(each["kaseya_id"]) for each in issue.candidates or ())

    async def judge(self) -> int:
        """Check everything at rest; returns how many records are there twice, each of which people were told of."""
        if self._world.violations:
            raise SimulationError(f"The contract was violated: {self._world.violations[0]}")
        async with self._database.transaction() as session:
            states = {row.quote_id: row for row in await session.scalars(select(QuoteRow))}
            links = {row.quote_id: row for row in await session.scalars(select(Link))}
            lines = defaultdict[str, dict[str, LinkLine]](dict)
            for line in await session.scalars(select(LinkLine)):
                lines[line.quote_id][line.line_id] = line
            items = {item.kaseya_id for item in await session.scalars(select(Item))}
            unsettled = [
                event.webhook_id for event in await session.scalars(select(Event)) if event.disposition == "pending"
            ]
            session.expunge_all()
        if unsettled:
            raise SimulationError(f"Events without an end: {unsettled}")
        for quote in self._quotes:
            row = states.get(quote.quote_id)
            if row is None or row.state != "synced":
                raise SimulationError(f"{quote.quote_id} is {row and row.state}: {row and row.last_error}")
            self._check_quote(quote, links[quote.quote_id], lines[quote.quote_id])
        self._check_strays(links.values(), items)
        return self._count_twice()

    def check_silence(self, first_call: int, *, may_read: bool) -> None:
        """Since this call nothing may have been written, and no more read than whether the settings still hold."""
        calls = [call for call in list(self._world.calls)[first_call:] if not call.path.startswith(SIGN_IN)]
        for call in calls:
            if call.method != "GET" and "search" not in call.path:
                raise SimulationError(f"A further sync wrote: {call.method} {call.path} {call.body}")
        if len(calls) > (READS_A_QUOTE * len(self._quotes) if may_read else 0):
            raise SimulationError(f"A further sync asked too much: {[(call.method, call.path) for call in calls]}")

    def _count_twice(self) -> int:
        twice = 0
        for collection, key_of in KEYS.items():
            groups = defaultdict[object, list[int]](list)
            for row in self._world.store.all(collection):
                groups[key_of(row)].append(row["Id"])
            for key, ids in groups.items():
                untold = [each for each in ids if each not in self._told]
                if len(ids) > 1 and untold:
                    raise SimulationError(f"{collection} holds {key!r} as {ids}, and nobody was told of {untold}.")
                self._check_unavoidable(collection, ids)
                twice += len(ids) - 1
        return twice

    def _check_unavoidable(self, collection: str, ids: Sequence[int]) -> None:
        """No create may have been sent when the same had stood in BMS for so long that looking would have found it."""
        ours = [each for each in ids if each not in self._planted[collection]]
        made_at = {each: self._world.store.get(collection, each)["CreatedOn"] for each in ours}
        for earlier, later in permutations(ours, 2):
            seen_since, sent_at = made_at[earlier], self._sent_at(made_at[later])
            was_hidden = any(
                seen_since <= list_.at <= sent_at and list_.at - seen_since < timedelta(seconds=list_.seconds)
                for list_ in self._wire.stale
            )
            if sent_at - seen_since > self._patience and not was_hidden:
                raise SimulationError(
                    f"{collection} {later} was sent at {sent_at:%H:%M:%S}, though {earlier} was there to be found "
                    f"since {seen_since:%H:%M:%S}."
                )

    def _sent_at(self, made_at: datetime) -> datetime:
        """When the create was sent that BMS applied at this time: then, unless it is one that was applied late."""
        if any(call.at == made_at and call.method == "POST" for call in self._world.calls):
            return made_at
        late = [each for each in self._wire.late if each.at + timedelta(seconds=each.seconds) <= made_at]
        return min(late, key=lambda each: made_at - each.at - timedelta(seconds=each.seconds)).at

    def _check_strays(self, links: Iterable[Link], items: Collection[int]) -> None:
        """Whatever we have made is some quote's, or people were told of it."""
        linked = {*items, *self._told}
        for link in links:
            linked |= {each for name in LINKED if (each := getattr(link, f"{name}_id")) is not None}
        for collection in COLLECTIONS:
            # What hangs on a record that people were told of goes with it: they made a quotation for each, perhaps.
            ours = (row for row in self._world.store.all(collection) if row.get("OpportunityId") not in self._told)
            strays = {row["Id"] for row in ours} - self._planted[collection] - linked
            if strays:
                raise SimulationError(f"{collection} {sorted(strays)} are no quote's, and nobody was told of them.")

    def _check_quote(self, quote: Quote, link: Link, lines: dict[str, LinkLine]) -> None:
        wanted, store = quote.newest, self._world.store
        opportunity = store.find("opportunities", link.opportunity_id)
        self._expect(opportunity is not None, quote, "has no opportunity")
        assert opportunity is not None
        self._expect(marker(CONNECTION_ID, quote.quote_id) in opportunity["Description"], quote, "has another's marker")
        self._equal(quote, "status", opportunity["StatusId"], STATUS_ID[wanted["status"]])
        self._equal(quote, "amount", Decimal(str(opportunity["Amount"])), Decimal(wanted["totals"]["one_time"]))
        account = store.get("accounts", opportunity["AccountId"])
        self._equal(quote, "account", account["AccountName"], wanted["account"]["name"])
        contact = store.get("contacts", opportunity["ContactId"])
        self._equal(quote, "contact", contact["LastName"], wanted["contact"]["last_name"])
        self._equal(quote, "contact's account", contact["AccountId"], opportunity["AccountId"])
        self._check_lines(quote, link, lines)
        if pdf := wanted.get("pdf"):
            self._check_pdf(quote, opportunity["Id"], b64decode(pdf["content_base64"]))

    def _check_lines(self, quote: Quote, link: Link, lines: dict[str, LinkLine]) -> None:
        quotation = self._world.store.find("quotations", link.quotation_id)
        self._expect(quotation is not None, quote, "has no quotation")
        held = {
            row["Id"]: (row["Name"], Decimal(str(row["Quantity"])), Decimal(str(row["UnitPrice"])))
            for row in self._world.store.all("lines", QuotationId=link.quotation_id)
            if row["Quantity"]
        }
        wanted = {
            line["line_id"]: (line["name"], Decimal(line["quantity"]), Decimal(line["unit_price"]))
            for line in quote.newest["lines"]
        }
        shown = {line_id: held.pop(line.kaseya_line_id, None) for line_id, line in lines.items() if not line.removed}
        self._equal(quote, "lines", shown, wanted)
        self._equal(quote, "lines beside", set(held) - self._told, set())

    def _check_pdf(self, quote: Quote, opportunity_id: int, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        held = [
            row["OriginalFileName"]
            for row in self._world.store.all("attachments", ObjectId=opportunity_id)
            if row["Id"] not in self._told
        ]
        expected = [f"Quote-{digest[:8]}.pdf"]
        self._equal(quote, "attachments", held, expected)

    def _equal(self, quote: Quote, what: str, held: object, wanted: object) -> None:
        self._expect(held == wanted, quote, f"{what}: BMS holds {held!r}, the quote wants {wanted!r}")

    @staticmethod
    def _expect(holds: bool, quote: Quote, complaint: str) -> None:  # noqa: FBT001 - it reads as the condition it is
        if not holds:
            raise SimulationError(f"{quote.quote_id} {complaint}.")
