import re
from html import unescape

from sqlalchemy import select

from app.console import settings_fields
from app.db.tables import Connection
from tests.console.conftest import Browser
from tests.fixtures.sandbox import Sandbox


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the settings form as it stands."""
    form = page[page.index('id="settings"') : page.index("</form>", page.index('id="settings"'))]
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ("checkbox" not in tag or "checked" in tag):
            sent[unescape(name[1])] = unescape(value[1]) if value else ""
    for select_tag, options in re.findall(r"<select([^>]*)>(.*?)</select>", form, re.DOTALL):
        name, chosen = re.search(r'name="([^"]*)"', select_tag), re.search(r'value="([^"]*)" selected', options)
        assert name is not None
        sent[unescape(name[1])] = chosen[1] if chosen else ""
    return sent


async def connect(operator: Browser, bms: Sandbox) -> tuple[str, dict[str, str]]:
    address = (await operator.connect(bms)).headers["location"]
    return address, fields_of((await operator.get(f"{address}/settings")).text)


async def test_what_is_proposed_can_be_saved_as_it_is(operator: Browser, bms: Sandbox) -> None:
    address, fields = await connect(operator, bms)

    page = await operator.follow(await operator.send(f"{address}/settings", fields))

    assert "Settings saved." in page
    async with operator.house.database.transaction() as session:
        saved = await session.scalar(select(Connection.settings))
    assert saved is not None
    assert saved["status_mapping"] == {
        "pending": "102",
        "accepted": "103",
        "ordered": None,
        "fulfilled": None,
        "lost": "104",
    }
    assert saved["service_quotation"]["default_warehouse_id"] == "201"


async def test_saved_settings_are_shown_again(operator: Browser, bms: Sandbox) -> None:
    address, fields = await connect(operator, bms)
    changed = {
        **fields,
        "/service_quotation/enabled": "on",
        "/service_quotation/default_item_type/kind": "service",
        "/service_quotation/default_item_type/item_type_id": "301",
        "item_types/0/category": "Hardware",
        "item_types/0/kind": "product",
        "item_types/0/item_type_id": "302",
    }
    await operator.follow(await operator.send(f"{address}/settings", changed))

    again = fields_of((await operator.get(f"{address}/settings")).text)

    assert {name: value for name, value in again.items() if value} == {
        name: value for name, value in changed.items() if value
    }


async def test_settings_that_cannot_work_are_refused_beside_their_field(operator: Browser, bms: Sandbox) -> None:
    address, fields = await connect(operator, bms)
    wrong = {
        "/service_quotation/default_warehouse_id": ("", "need a default warehouse"),
        "/status_mapping/pending": ("105", "is inactive in BMS"),
        "/opportunity/default_sales_employee_id#id": ("9999", "BMS has no employee with the id 9999"),
        "/opportunity/recurring_periods": ("many", "valid integer"),
        "/opportunity/name_template": ("{nonsense}", "number"),
        "/account/account_type_id": ("", "choose an account type"),
        "/opportunity/type_id": ("", "This is needed"),
        "/service_quotation/distributor_type_id": ("some", "whole number"),
    }
    for name, (value, sentence) in wrong.items():
        sent = {**fields, "/service_quotation/enabled": "on", name: value}
        answer = await operator.send(f"{address}/settings", sent)
        assert answer.status_code == 422, name
        assert sentence in unescape(answer.text), name
        assert 'class="error"' in answer.text
    async with operator.house.database.transaction() as session:
        assert await session.scalar(select(Connection.settings)) is None


async def test_when_bms_is_away_nothing_is_saved_and_nothing_typed_is_lost(operator: Browser, bms: Sandbox) -> None:
    address, fields = await connect(operator, bms)
    with bms.down():
        answer = await operator.send(f"{address}/settings", {**fields, "/opportunity/name_template": "Mine {number}"})

    assert answer.status_code == 502
    assert "BMS cannot be reached" in answer.text
    assert "Mine {number}" in answer.text


async def test_the_rules_stand_where_they_matter(operator: Browser, bms: Sandbox) -> None:
    address, _ = await connect(operator, bms)
    page = await operator.read(f"{address}/settings")

    for rule in (
        "One warehouse serves the whole quotation",
        "BMS takes no product without one",
        "Service items need a unit price and a unit cost",
        "BMS lists products without prices",
        "A discount on the whole quote, taxes and shipping are not sent",
        "BMS cannot backdate",
    ):
        assert rule in page


async def test_the_module_of_attachments_is_found_by_a_file(operator: Browser, bms: Sandbox) -> None:
    address, _ = await connect(operator, bms)
    missing = await operator.follow(await operator.post(f"{address}/settings/probe", opportunity_id="1301"))
    senseless = await operator.follow(await operator.post(f"{address}/settings/probe", opportunity_id="x"))

    assert "No file was found at opportunity 1301" in missing
    assert "Enter the opportunity's id" in senseless


def test_a_setting_has_an_id_on_the_page_that_an_issue_can_link_to() -> None:
    pointer = "/service_quotation/default_warehouse_id"

    assert settings_fields.anchor_of(pointer) == "s-service_quotation-default_warehouse_id"
    assert settings_fields.anchor_of(pointer) in [
        field.anchor for group in settings_fields.GROUPS for field in group.fields
    ]
