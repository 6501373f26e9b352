"""The console in a real Chromium, with the sandbox and the service as processes of their own."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.fixtures.management import ADMIN, SANDBOX_SIGN_IN
from tests.fixtures.sandbox import Sandbox, running_sandbox

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOTS = Path(__file__).parents[2] / ".artefacts" / "console"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH; on Debian, `apt-get install chromium` brings it"
)


@contextmanager
def serving(database_url: str, sandbox: Sandbox) -> Iterator[str]:
    """The service with its worker, on a free port."""
    environ = {
        **os.environ,
        "QUOTEBRIDGE_DATABASE_URL": database_url,
        "QUOTEBRIDGE_SECRET_KEYS": "A" * 43 + "=",
        "QUOTEBRIDGE_ADMIN_TOKEN": ADMIN,
        "QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS": sandbox.url.removeprefix("http://"),
        "QUOTEBRIDGE_DEBOUNCE_QUIET_SECONDS": "0.1",
        "QUOTEBRIDGE_LOOKUP_CACHE_SECONDS": "0.1",
        "QUOTEBRIDGE_POLL_SECONDS": "0.5",
    }
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert "listening on" in said, f"the service said {said!r} instead of where it listens"
            yield said.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@pytest.fixture(scope="module")
def extended_sandbox() -> Iterator[Sandbox]:
    """A BMS that also takes service quotations."""
    with running_sandbox("--contract", "extended") as sandbox:
        yield sandbox


@pytest.fixture
def service(clean_database: str, extended_sandbox: Sandbox) -> Iterator[str]:
    extended_sandbox.reset()
    with serving(clean_database, extended_sandbox) as url:
        yield url
    extended_sandbox.assert_no_violations()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def looking(chromium: Browser, url: str, *, scripts: bool = True, dark: bool = False) -> Iterator[Page]:
    """A page of a new visitor; whatever the browser complains about fails the test."""
    context: BrowserContext = chromium.new_context(
        base_url=url,
        viewport=DESK,
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    # A refused form is answered with 4xx, which the browser also notes as an error.
    assert [each for each in complaints if "Failed to load resource" not in each] == []


def keep(page: Page, name: str) -> None:
    """Keep pictures of a page: light, dark, and on a telephone, where nothing may stick out to the side."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-light.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=SHOTS / f"{name}-dark.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    page.screenshot(path=SHOTS / f"{name}-phone.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(DESK)
    assert wide <= PHONE["width"], f"{name} is {wide} wide on a telephone"


def sign_in(page: Page) -> None:
    page.goto("/console")
    page.get_by_label("API key").fill(ADMIN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Connections")).to_be_visible()


def connect(page: Page, sandbox: Sandbox, *, pictures: bool = False) -> None:
    page.get_by_role("link", name="Connect a company").click()
    page.get_by_label("Name of the connection").fill("Example MSP")
    page.get_by_role("radio", name="Another server").check()
    page.get_by_label("Address of the other server").fill(sandbox.url)
    page.get_by_label("Company", exact=True).fill(SANDBOX_SIGN_IN["company"])
    page.get_by_label("User name of the API user").fill(SANDBOX_SIGN_IN["username"])
    page.get_by_label("Password", exact=True).fill(SANDBOX_SIGN_IN["password"])
    if pictures:
        keep(page, "02-connect")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("heading", name="Example MSP")).to_be_visible()


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Example MSP").get_by_role("link", name=name).first.click()


def paste_into_a_terminal(command: str) -> str:
    """What a shell prints for a pasted command."""
    done = subprocess.run(["bash"], input=command, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_new_user_connects_sets_up_sends_the_example_and_sees_it_in_bms(
    chromium: Browser, service: str, extended_sandbox: Sandbox
) -> None:
    with looking(chromium, service) as page:
        page.goto("/console")
        keep(page, "01-sign-in")
        sign_in(page)
        keep(page, "01-connections-empty")
        connect(page, extended_sandbox, pictures=True)
        keep(page, "04-overview-first")
        command = page.locator("#command").inner_text()
        page.get_by_role("link", name="Open the settings").click()
        expect(page.get_by_text("Proposed from what your BMS has")).to_be_visible()
        keep(page, "05-settings")
        page.get_by_role("button", name="Check and save").click()
        expect(page.get_by_text("Settings saved.")).to_be_visible()

        assert '"accepted"' in paste_into_a_terminal(command)

        # The page shows the quote by itself, and that it reached BMS.
        quotes = page.get_by_role("region", name="Quotes")
        expect(quotes.get_by_text("1042 Firewall refresh")).to_be_visible()
        expect(quotes.get_by_text("In BMS").first).to_be_visible()
        keep(page, "06-overview")
        quotes.get_by_role("link", name="1042 Firewall refresh").click()
        made = [each for each in extended_sandbox.state()["opportunities"] if each["id"] > 1302]
        assert len(made) == 1
        in_bms = page.get_by_role("region", name="In BMS")
        expect(in_bms.get_by_text(str(made[0]["id"]), exact=True)).to_be_visible()
        expect(page.get_by_text("Taxes are not sent")).to_be_visible()
        page.get_by_text(re.compile(r"\d+ BMS calls?$")).last.click()
        expect(page.get_by_text("/v2/crm/opportunities", exact=True).first).to_be_visible()
        page.get_by_text(re.compile(r"\d+ changes? in BMS")).first.click()
        keep(page, "07-quote")
        for number, name in enumerate(
            ["Quotes", "Issues", "Events", "Activity", "Drift", "Settings", "Look up", "Access"], start=8
        ):
            tab(page, name)
            expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
            keep(page, f"{number:02}-{name.lower().replace(' ', '-')}")
        page.get_by_role("link", name="Connections").first.click()
        expect(page.get_by_text("Working")).to_be_visible()
        keep(page, "03-connections")
        page.get_by_role("link", name="API keys").click()
        keep(page, "16-keys")


def test_it_works_without_scripts(chromium: Browser, service: str, extended_sandbox: Sandbox) -> None:
    with looking(chromium, service, scripts=False) as page:
        sign_in(page)
        connect(page, extended_sandbox)
        page.get_by_role("link", name="Open the settings").click()
        page.get_by_role("button", name="Check and save").click()
        expect(page.get_by_text("Settings saved.")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Events are taken in and wait").first).to_be_visible()
        tab(page, "Look up")
        page.get_by_label("Search").fill("engineer")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text("175.00 each, cost 70.00")).to_be_visible()


def test_drift_and_many_quotes_again_work_with_and_without_scripts(
    chromium: Browser, service: str, extended_sandbox: Sandbox
) -> None:
    with looking(chromium, service, scripts=False) as page:
        sign_in(page)
        connect(page, extended_sandbox)
        command = page.locator("#command").inner_text()
        page.get_by_role("link", name="Open the settings").click()
        page.get_by_role("button", name="Check and save").click()
        expect(page.get_by_text("Settings saved.")).to_be_visible()
        assert '"accepted"' in paste_into_a_terminal(command)
        tab(page, "Quotes")
        page.get_by_role("link", name="Sync many again").click()
        page.get_by_role("button", name="Count them").click()
        page.get_by_role("button", name="Sync 1 quote again").click()
        expect(page.get_by_text("1 quote is synced again")).to_be_visible()
        tab(page, "Drift")
        page.get_by_role("button", name="Look now").click()
        expect(page.get_by_text("BMS is looked through now")).to_be_visible()
        address = page.url
    with looking(chromium, service) as page:
        sign_in(page)
        page.goto(address)
        expect(page.get_by_text("Nothing differs")).to_be_visible()
        made = max(each["id"] for each in extended_sandbox.state()["opportunities"])
        extended_sandbox.change("opportunities", made, Amount=1.5)
        page.get_by_role("button", name="Look now").click()
        # The page shows what is found by itself.
        expect(page.get_by_text("1.50")).to_be_visible()
        keep(page, "17-drift-found")
        page.goto(f"{address.removesuffix('/drift')}/replay?state=synced")
        expect(page.get_by_role("heading", name="1 quote fits")).to_be_visible()
        keep(page, "18-replay")


def test_scripts_ask_before_what_is_dangerous_and_search_while_one_types(
    chromium: Browser, service: str, extended_sandbox: Sandbox
) -> None:
    with looking(chromium, service) as page:
        sign_in(page)
        connect(page, extended_sandbox)
        tab(page, "Look up")
        page.get_by_label("Search").press_sequentially("engineer")
        expect(page.get_by_text("175.00 each, cost 70.00")).to_be_visible()
        tab(page, "Overview")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Paused")).to_have_count(0)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
