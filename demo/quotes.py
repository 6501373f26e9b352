"""The demo's quotes, and the events that a quoting frontend would send about them."""

import base64
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")
PDF_LINES = ("%PDF-1.4", "1 0 obj<</Type/Catalog>>endobj", "trailer<</Root 1 0 R>>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a quote; ``discount`` is a percentage of the unit price."""

    line_id: str
    name: str
    category: str
    quantity: int
    price: str
    cost: str | None
    code: str | None = None
    discount: str = "0"
    recurring: bool = False
    optional: bool = False

    @property
    def amount(self) -> Decimal:
        """What the line adds to the quote's total; nothing for an option, none of which is selected here."""
        if self.optional:
            return Decimal(0)
        return self.quantity * (Decimal(self.price) * (1 - Decimal(self.discount) / 100)).quantize(CENT)

    def to_json(self) -> dict[str, Any]:
        """The line as the webhook takes it."""
        return {
            "line_id": self.line_id,
            "item_code": self.code,
            "name": self.name,
            "category": self.category,
            "quantity": str(self.quantity),
            "unit_price": self.price,
            "unit_cost": self.cost,
            "discount": self.discount,
            "discount_kind": "percent",
            "recurring": self.recurring,
            "optional": self.optional,
            "selected": not self.optional,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One quote as the frontend knows it; ``person`` is first name, last name and e-mail."""

    number: str
    name: str
    account: str
    person: tuple[str, str, str]
    lines: tuple[Line, ...]
    status: str = "pending"
    version: int = 1
    tax: str = "0"
    shipping: str = "0"
    with_pdf: bool = False
    days_left: int = 30

    @property
    def quote_id(self) -> str:
        """What the frontend calls it; BMS's people see the number."""
        return f"demo-{self.number}"

    @property
    def subject(self) -> str:
        """What the opportunity is called."""
        return f"{self.number} {self.name}"

    def to_event(self, kind: str, *, now: datetime) -> dict[str, Any]:
        """The event `quote.<kind>` about this quote."""
        return {"type": f"quote.{kind}", "timestamp": now.isoformat(), "data": self._to_json(now.date())}

    def with_quantity(self, line_id: str, quantity: int) -> "Quote":
        """The next version, with another quantity on one line."""
        lines = tuple(replace(each, quantity=quantity) if each.line_id == line_id else each for each in self.lines)
        return replace(self, lines=lines, version=self.version + 1)

    def _to_json(self, today: date) -> dict[str, Any]:
        first, last, email = self.person
        recurring = sum((line.amount for line in self.lines if line.recurring), Decimal(0))
        one_time = sum((line.amount for line in self.lines if not line.recurring), Decimal(0))
        return {
            "quote_id": self.quote_id,
            "number": self.number,
            "name": self.name,
            "version": self.version,
            "status": self.status,
            "currency": "USD",
            "issued_on": (today - timedelta(days=7)).isoformat(),
            "expires_on": (today + timedelta(days=self.days_left)).isoformat(),
            "url": f"https://quotes.msp.example/{self.number}",
            "owner": {"name": "Sam Seller", "email": "sam@msp.example"},
            "account": {"name": self.account, "address": ADDRESS},
            "contact": {"first_name": first, "last_name": last, "email": email},
            "totals": {"one_time": str(one_time), "recurring": str(recurring), "recurring_period": "month"},
            "shipping": self.shipping,
            "taxes": [{"name": "Sales tax", "amount": self.tax}] if Decimal(self.tax) else [],
            "lines": [line.to_json() for line in self.lines],
            "pdf": {"filename": f"Quote {self.number}.pdf", "content_base64": _pdf(self)} if self.with_pdf else None,
        }


def _pdf(quote: Quote) -> str:
    return base64.b64encode("\n".join((*PDF_LINES, f"% {quote.subject}", "%%EOF")).encode()).decode()


ADDRESS = {"line1": "12 Harbour Lane", "city": "Springfield", "state": "CA", "postal_code": "90000"}

SWITCH = Line(
    line_id="switch", code="SW-24", name="Switch 24 ports", category="Hardware", quantity=2, price="480.00",
    cost="310.00", discount="5",
)  # fmt: skip
SHELF = Line(
    line_id="shelf", code="RS-1", name="Rack shelf", category="Hardware", quantity=1, price="85.00", cost="40.00"
)
ENGINEER = Line(
    line_id="hours", name="Senior engineer hour", category="Labor", quantity=6, price="175.00", cost="70.00"
)
CARE = Line(
    line_id="care", code="NET-CARE", name="Managed network", category="Labor", quantity=1, price="240.00",
    cost="90.00", recurring=True,
)  # fmt: skip
SPARE = replace(SWITCH, line_id="spare", name="Spare switch", quantity=1, optional=True)
ASSESSMENT = Line(line_id="assess", name="Security assessment", category="Labor", quantity=1, price="360.00", cost=None)

RENEWAL = Quote(
    number="2001", name="Network renewal", account="Brightwater Dental Group",
    person=("Nora", "Lindqvist", "nora@brightwater.example"), lines=(SWITCH, SHELF, ENGINEER, CARE, SPARE),
    tax="63.00", shipping="25.00", with_pdf=True,
)  # fmt: skip
WIRELESS = Quote(
    number="2002", name="Warehouse Wi-Fi", account="Example Gadgets Inc",
    person=("Gail", "Gadget", "gail@gadgets.example"), lines=(replace(ENGINEER, quantity=4),),
)  # fmt: skip
PRINTERS = Quote(
    number="2003", name="Printer lease", account="Example Gadgets Inc",
    person=("Gail", "Gadget", "gail@gadgets.example"), lines=(replace(ENGINEER, quantity=1),), days_left=-3,
)  # fmt: skip
REVIEW = Quote(
    number="2004", name="Security review", account="Example Gadgets Incorporated",
    person=("Ivy", "Incorporated", "ivy@incorporated.example"), lines=(replace(ENGINEER, quantity=2), ASSESSMENT),
)  # fmt: skip
MOVE = Quote(
    number="2005", name="Server room move", account="Example Gadgets Inc",
    person=("Gail", "Gadget", "gail@gadgets.example"), lines=(replace(ENGINEER, quantity=16),),
)  # fmt: skip
BACKUP = Quote(
    number="2006", name="Backup storage", account="Example Gadgets Inc",
    person=("Bert", "Branch", "bert@gadgets.example"), lines=(replace(ENGINEER, quantity=3),),
)  # fmt: skip
