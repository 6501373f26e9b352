import subprocess

from app.console import sample
from app.intake.standard import parse
from tests.console.conftest import Browser
from tests.fixtures.management import SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox


async def test_with_nothing_connected_the_console_says_what_to_do(operator: Browser) -> None:
    page = await operator.read("/console")

    assert "Connect your BMS company" in page
    assert 'href="/console/connect"' in page


async def test_connecting_leads_to_the_connection_with_its_secret_shown_once(operator: Browser, bms: Sandbox) -> None:
    answer = await operator.connect(bms)
    first = await operator.follow(answer)
    second = await operator.read(answer.headers["location"])

    assert "whsec_" in first
    assert "secret='whsec_" in first
    assert "Check and save the settings" in first
    assert "whsec_" not in second.replace("${secret#whsec_}", "")
    assert "read -rs secret" in second


async def test_refused_credentials_are_told_apart_and_nothing_is_stored(operator: Browser, bms: Sandbox) -> None:
    wrong = await operator.connect(bms, password="not-the-password")
    second_factor = await operator.connect(bms, username="mfa@msp.example")
    elsewhere = await operator.connect(bms, base_url="https://bms.example.com")
    with bms.down():
        away = await operator.connect(bms)

    assert [each.status_code for each in (wrong, second_factor, elsewhere, away)] == [422] * 4
    assert "BMS refused the sign-in" in wrong.text
    assert "BMS asks for a second factor" in second_factor.text
    assert "This address is not allowed" in elsewhere.text
    assert "BMS cannot be reached" in away.text
    assert SANDBOX_SIGN_IN["company"] in wrong.text
    assert "not-the-password" not in wrong.text
    assert "Connect your BMS company" in await operator.read("/console")


async def test_what_is_missing_is_said_beside_its_field(operator: Browser, bms: Sandbox) -> None:
    answer = await operator.connect(bms, company="", base_url="")

    assert answer.status_code == 422
    assert "Enter the company name" in answer.text
    assert "needs its address" in answer.text
    assert bms.calls() == []


async def test_pausing_and_resuming_show_in_the_list(operator: Browser, bms: Sandbox) -> None:
    address = (await operator.connect(bms)).headers["location"]

    assert "Events are taken in and wait" in await operator.follow(await operator.post(f"{address}/pause"))
    assert "Paused" in await operator.read("/console")
    await operator.follow(await operator.post(f"{address}/resume"))
    assert "Paused" not in await operator.read("/console")


async def test_the_sign_in_can_be_tested(operator: Browser, bms: Sandbox) -> None:
    address = (await operator.connect(bms)).headers["location"]

    assert "BMS accepted the sign-in just now" in await operator.follow(await operator.post(f"{address}/test"))
    with bms.down():
        assert "BMS cannot be reached" in await operator.follow(await operator.post(f"{address}/test"))


async def test_deleting_needs_the_name_typed(operator: Browser, bms: Sandbox) -> None:
    address = (await operator.connect(bms)).headers["location"]

    await operator.post(f"{address}/delete", name="example")
    assert (await operator.get(address)).status_code == 200
    assert "is deleted" in await operator.follow(await operator.post(f"{address}/delete", name="Example MSP"))
    assert (await operator.get(address)).status_code == 404


async def test_markup_in_a_name_is_shown_and_not_run(operator: Browser, bms: Sandbox) -> None:
    await operator.connect(bms, name="<script>alert(1)</script>")

    page = (await operator.get("/console")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_example_event_is_one_that_the_webhook_takes() -> None:
    printed = subprocess.run(
        [
            "bash",
            "-c",
            sample.command("http://x", secret="whsec_AAAA").replace("curl -sS", 'printf "%s" "$body"; true'),
        ],
        capture_output=True,
        check=True,
    ).stdout.removesuffix(b"\n")

    assert parse(printed).quote.quote_id == sample.QUOTE_ID
