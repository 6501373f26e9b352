import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from demo import checks
from demo.__main__ import main
from demo.story import Story, tell

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _database_server(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's server, on which the demo makes and drops a database of its own."""
    monkeypatch.setenv("QUOTEBRIDGE_DATABASE_URL", server_url)


def with_one_scene(change: Callable[[Story], Story]) -> Callable[[str], Story]:
    """The story cut after its first scene, so that a broken one need not be watched to its end."""

    def telling(contract: str) -> Story:
        story = tell(contract)
        return change(replace(story, scenes=story.scenes[:1], made={"accounts": story.made["accounts"]}))

    return telling


def expecting_another_amount(story: Story) -> Story:
    (scene,) = story.scenes
    return replace(story, scenes=(replace(scene, checks=(checks.opportunity("Quoted", 50, "1.00"),)),))


def expecting_another_account(story: Story) -> Story:
    return replace(story, made={"accounts": ("Somebody Else Ltd",)})


@pytest.mark.usefixtures("_database_server")
def test_the_demo_ends_with_zero_when_bms_holds_exactly_what_it_should() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--once"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BMS holds exactly what it should" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            expecting_another_amount,
            "Quote 2001, created, with lines and PDF: what BMS has as opportunity should be Quoted (50 %), 1.00, "
            "but is Quoted (50 %), 2,047.00.",
            id="a scene's check",
        ),
        pytest.param(
            expecting_another_account,
            "At the end, BMS's new accounts should be Somebody Else Ltd, but are Brightwater Dental Group.",
            id="the look back",
        ),
    ],
)
@pytest.mark.usefixtures("_database_server")
def test_a_demo_that_finds_anything_wrong_says_what_and_ends_with_one(
    change: Callable[[Story], Story], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main(["--once"], tell=with_one_scene(change)) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert sentence in capsys.readouterr().out


@pytest.mark.usefixtures("_database_server")
def test_a_demo_that_stays_up_says_where_and_ends_its_children_when_it_is_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "--contract", "extended"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("curl -s -H 'Authorization"):
                break
        sandbox, service = re.findall(r"(?:service|sandbox \(extended\)) at (http://\S+)", said)
        assert httpx.get(f"{service}/livez", trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert "/console" in said
    assert "webhook-signature: v1," in said
    for url in (service, sandbox):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
