"""The settings as the page shows them: which fields there are, what each is for, and the rules to know. Data."""

import re
from dataclasses import dataclass
from typing import Literal

Shape = Literal["choice", "options", "check", "text", "number", "id", "item_type"]
_PLAIN_PART = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting. ``pointer`` is its place in the settings, and the name of its form field.

    ``lookup`` is the list of BMS that it chooses from; ``needed`` says that it cannot stay empty.
    """

    pointer: str
    label: str
    shape: Shape
    hint: str = ""
    lookup: str = ""
    options: tuple[tuple[str, str], ...] = ()
    needed: bool = False

    @property
    def anchor(self) -> str:
        """Its id on the page, which issues link to."""
        return anchor_of(self.pointer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields under one heading, and the rules to know before filling them in."""

    pointer: str
    title: str
    about: str
    fields: tuple[Field, ...]
    rules: tuple[str, ...] = ()


def anchor_of(pointer: str) -> str:
    """The id on the page of the setting that a pointer names."""
    return "s" + "-".join(part for part in pointer.split("/") if _PLAIN_PART.fullmatch(part) or not part)


KINDS = (("service", "Service"), ("product", "Product"), ("other", "Free text"))

ACCOUNT = Group(
    pointer="/account",
    title="Account",
    about="An account is found by its exact name, a contact by its e-mail address. These are for those that BMS lacks.",
    fields=(
        Field(
            pointer="/account/create_missing",
            label="Create accounts and contacts that BMS does not have",
            shape="check",
            hint="When off, a quote for an account that BMS does not have stops as an issue.",
        ),
        Field(
            pointer="/account/account_type_id",
            label="Account type",
            shape="choice",
            lookup="account-types",
            needed=True,
        ),
        Field(
            pointer="/account/business_type_id",
            label="Business type",
            shape="choice",
            lookup="business-types",
            needed=True,
        ),
        Field(
            pointer="/account/account_manager_id",
            label="Account manager",
            shape="choice",
            lookup="employees",
            needed=True,
        ),
        Field(
            pointer="/account/phone_type_id",
            label="Type of a new contact's telephone number",
            shape="choice",
            lookup="phone-types",
        ),
        Field(
            pointer="/account/email_type_id",
            label="Type of a new contact's e-mail address",
            shape="choice",
            lookup="email-types",
        ),
    ),
)
OPPORTUNITY = Group(
    pointer="/opportunity",
    title="Opportunity",
    about="Each quote becomes one opportunity. What people type into it stays: lead source, rating, description.",
    fields=(
        Field(pointer="/opportunity/type_id", label="Type", shape="choice", lookup="opportunity-types", needed=True),
        Field(
            pointer="/opportunity/rating_id", label="Rating", shape="choice", lookup="opportunity-ratings", needed=True
        ),
        Field(pointer="/opportunity/lead_source_id", label="Lead source", shape="choice", lookup="lead-sources"),
        Field(
            pointer="/opportunity/default_sales_employee_id",
            label="Default sales representative",
            shape="choice",
            lookup="employees",
            needed=True,
            hint="Owns the opportunity when the quote's owner is no active employee in BMS, by e-mail address.",
        ),
        Field(
            pointer="/opportunity/name_template",
            label="Name",
            shape="text",
            needed=True,
            hint="{number} and {name} stand for the quote's own.",
        ),
        Field(
            pointer="/opportunity/rename_on_update",
            label="Rename the opportunity when the quote's name changes",
            shape="check",
            hint="When off, a name that somebody gave it in BMS stays.",
        ),
        Field(
            pointer="/opportunity/value_basis",
            label="Amount",
            shape="options",
            options=(
                ("one_time", "One-time total"),
                ("one_time_plus_recurring", "One-time plus recurring total"),
                ("margin", "Margin"),
            ),
        ),
        Field(
            pointer="/opportunity/recurring_periods",
            label="Periods of the recurring total",
            shape="number",
            needed=True,
            hint="In the quote's own period: 12 is a year for a monthly one. Counts only when the amount takes it in.",
        ),
        Field(
            pointer="/opportunity/close_date",
            label="Close date",
            shape="options",
            options=(("expiry", "The day the quote expires"), ("days", "A number of days after it was issued")),
        ),
        Field(
            pointer="/opportunity/close_after_days",
            label="Days until the close date",
            shape="number",
            needed=True,
            hint="Used with the second choice, and for quotes without an expiry date.",
        ),
        Field(
            pointer="/opportunity/time_zone",
            label="Time zone",
            shape="text",
            hint="Such as America/New_York; it decides when a quote expires. Empty means that of your BMS.",
        ),
    ),
    rules=(
        (
            "Expired quotes: BMS cannot backdate. A pending quote past its date is not sent; it shows under Quotes as "
            "“Not sent”, and goes on when your frontend gives it a later date. Won and lost quotes are always sent."
        ),
    ),
)
_STATUS_HINT = "Usually a status with the base status Won."
STATUS_MAPPING = Group(
    pointer="/status_mapping",
    title="Quote Status Mapping",
    about="Which opportunity status each status of a quote becomes. Its probability in BMS is taken over too.",
    fields=(
        Field(
            pointer="/status_mapping/pending",
            label="Pending",
            shape="choice",
            lookup="opportunity-statuses",
            needed=True,
            hint="Usually a status with the base status Open.",
        ),
        Field(
            pointer="/status_mapping/accepted",
            label="Accepted",
            shape="choice",
            lookup="opportunity-statuses",
            needed=True,
            hint=_STATUS_HINT,
        ),
        Field(
            pointer="/status_mapping/ordered",
            label="Ordered",
            shape="choice",
            lookup="opportunity-statuses",
            hint="Empty means the same as accepted.",
        ),
        Field(
            pointer="/status_mapping/fulfilled",
            label="Fulfilled",
            shape="choice",
            lookup="opportunity-statuses",
            hint="Empty means the same as accepted.",
        ),
        Field(
            pointer="/status_mapping/lost",
            label="Lost",
            shape="choice",
            lookup="opportunity-statuses",
            needed=True,
            hint="Usually a status with the base status Lost.",
        ),
    ),
)
SERVICE_QUOTATION = Group(
    pointer="/service_quotation",
    title="Service Quotation",
    about="Beside the opportunity, the quote's lines can be kept as a service quotation.",
    fields=(
        Field(pointer="/service_quotation/enabled", label="Keep a service quotation for each quote", shape="check"),
        Field(
            pointer="/service_quotation/default_warehouse_id",
            label="Default warehouse",
            shape="choice",
            lookup="warehouses",
            needed=True,
            hint="Needed for service quotations: BMS takes no product without one. One warehouse serves the whole "
            "quotation, so all its products come from this one.",
        ),
        Field(
            pointer="/service_quotation/default_item_type",
            label="Item type of a line, unless its category says otherwise",
            shape="item_type",
            hint="Service items need a unit price and a unit cost. A service line that lacks one, in the quote and in "
            "BMS, is left out of the quotation with a warning; the rest of the quote goes.",
        ),
        Field(
            pointer="/service_quotation/distributor_type_id",
            label="Distributor type id",
            shape="id",
            hint="BMS shows no list of these; 0 is right for most.",
        ),
        Field(
            pointer="/service_quotation/expired_when_won",
            label="Quotation of a quote that was won after its date",
            shape="options",
            options=(("skip", "Leave it out"), ("try", "Try it, and warn that BMS cannot backdate")),
        ),
    ),
    rules=(
        "Product prices: BMS lists products without prices, so each line carries the quote's own price.",
        (
            "An item's discount is taken off its unit price. A discount on the whole quote, taxes and shipping are not "
            "sent to BMS; each quote that has one says so in a warning."
        ),
    ),
)
ATTACHMENT = Group(
    pointer="/attachment",
    title="PDF attachment",
    about="The quote's PDF can be attached to its opportunity.",
    fields=(
        Field(pointer="/attachment/push_pdf", label="Attach the quote's PDF", shape="check"),
        Field(
            pointer="/attachment/opportunity_module_id",
            label="Module id of opportunities",
            shape="id",
            hint="BMS does not publish it, and it differs from company to company; find it below. "
            "Without it, the quote's link is written as a note instead.",
        ),
    ),
)
DRIFT = Group(
    pointer="/drift",
    title="Drift",
    about="People may change the amount, status, close date or sales representative of an opportunity in BMS.",
    fields=(
        Field(
            pointer="/drift/sweep",
            label="Look through BMS for what differs from the quotes",
            shape="options",
            options=(("off", "Only when somebody asks for it"), ("daily", "Every day"), ("hourly", "Every hour")),
        ),
        Field(
            pointer="/drift/found",
            label="What becomes of a difference",
            shape="options",
            options=(("report", "It is shown under Drift"), ("restore", "The quote is sent to BMS again")),
        ),
    ),
)
GROUPS = (ACCOUNT, OPPORTUNITY, STATUS_MAPPING, SERVICE_QUOTATION, ATTACHMENT, DRIFT)
LOOKUPS = tuple(dict.fromkeys(field.lookup for group in GROUPS for field in group.fields if field.lookup))
