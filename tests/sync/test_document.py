"""The quote's PDF: the last step, which never holds up the rest."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.fixtures.engine import Engine, codes, event, eventually, in_extended, warning, working
from tests.fixtures.sandbox import Sandbox

pytestmark = in_extended

PDF, OTHER = b"%PDF-1.4 one", b"%PDF-1.4 another"
MOST_BYTES = 10 * 1024 * 1024


def inline(content: bytes, filename: str | None = "Quote-1042.pdf") -> dict[str, Any]:
    return {"filename": filename, "content_base64": base64.b64encode(content).decode()}


def named(content: bytes, stem: str = "Quote-1042") -> str:
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.pdf"


def names(engine: Engine) -> list[str]:
    return [row["originalFileName"] for row in engine.held("attachments")]


async def test_an_inline_pdf_is_attached_under_a_name_with_its_digest(engine: Engine) -> None:
    quote = await engine.synced(event(pdf=inline(PDF)))
    (file,) = engine.held("attachments")
    assert file["originalFileName"] == named(PDF)
    assert (file["moduleId"], file["objectId"]) == (47, engine.opportunity()["id"])
    assert file["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert quote["kaseya"]["attachment_id"] == str(file["id"])


async def test_the_same_pdf_is_not_uploaded_again(engine: Engine) -> None:
    await engine.synced(event(pdf=inline(PDF)))
    engine.bms.forget_calls()
    await engine.synced(event("updated", pdf=inline(PDF), totals={"one_time": "351.00"}))
    assert engine.writes() == ["PUT /v2/crm/opportunities/{id}"]


async def test_a_changed_pdf_replaces_ours_and_leaves_a_users_files_alone(engine: Engine) -> None:
    await engine.synced(event(pdf=inline(PDF)))
    engine.bms.create("attachments", objectId=engine.opportunity()["id"], originalFileName="by hand.pdf")
    await engine.synced(event("updated", pdf=inline(OTHER)))
    assert names(engine) == ["by hand.pdf", named(OTHER)]
    uploads = [call for call in engine.writes() if "attachments" in call]
    assert [call.split()[0] for call in uploads] == ["POST", "POST", "DELETE"]


async def test_a_pdf_that_comes_back_is_there_once(engine: Engine) -> None:
    for number, content in enumerate((PDF, OTHER, PDF)):
        await engine.synced(event("updated" if number else "created", pdf=inline(content)))
    assert names(engine) == [named(PDF)]


async def test_ours_may_have_been_removed_by_a_user(engine: Engine) -> None:
    await engine.synced(event(pdf=inline(PDF)))
    engine.bms.delete("attachments", engine.held("attachments")[0]["id"])
    await engine.synced(event("updated", pdf=inline(OTHER)))
    assert names(engine) == [named(OTHER)]


async def test_one_that_bms_will_not_remove_is_tried_again_later(engine: Engine) -> None:
    await engine.synced(event(pdf=inline(PDF)))
    engine.bms.fault("success_false", method="DELETE")
    quote = await engine.synced(event("updated", pdf=inline(OTHER)))
    assert sorted(names(engine)) == sorted([named(PDF), named(OTHER)])
    assert quote["due_at"] is not None

    await engine.call("POST", f"{engine.path}/quotes/{quote['quote_id']}/sync")

    async def is_removed() -> bool:
        return names(engine) == [named(OTHER)]

    await eventually(is_removed)


async def test_no_pdf_is_pushed_where_the_settings_do_not_want_it(engine: Engine) -> None:
    await engine.configure(attachment={"push_pdf": False})
    quote = await engine.synced(event(pdf=inline(PDF)))
    assert (names(engine), codes(quote)) == ([], [])


async def test_without_a_module_the_quotes_address_becomes_a_note(engine: Engine) -> None:
    await engine.configure(attachment={"opportunity_module_id": None})
    url = "https://quotes.example.com/q/1042"
    quote = await engine.synced(event(pdf=inline(PDF), url=url))
    assert "pdf_sent_as_note" in codes(quote)
    (note,) = engine.held("opportunity_notes")
    assert url in note["note"]
    assert "[quotebridge:" in note["note"]
    quote = await engine.synced(event("updated", pdf=inline(OTHER), url=url, totals={"one_time": "351.00"}))
    assert len(engine.held("opportunity_notes")) == 1
    assert "pdf_sent_as_note" in codes(quote)
    assert names(engine) == []


async def test_a_module_that_bms_does_not_know_costs_only_the_pdf(engine: Engine) -> None:
    engine.bms.expect_violations()
    await engine.configure(attachment={"opportunity_module_id": "48"})
    quote = await engine.synced(event(pdf=inline(PDF)))
    assert engine.opportunity()["amount"] == 350.0
    assert "48" in warning(quote, "pdf_refused")["detail"]


@dataclass
class Files:
    """A file server of the frontend's; every request is answered with what is set last."""

    url: str
    status: int = 200
    body: bytes = PDF
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0


@pytest.fixture
def files() -> Iterator[Files]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            for name, value in {**served.headers, "Content-Length": str(len(served.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(served.body)
            except OSError:
                self.close_connection = True  # whoever asked has read enough

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Files(f"http://127.0.0.1:{server.server_port}/q.pdf")
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
async def fetching(clean_database: str, bms: Sandbox, contract: str, files: Files) -> AsyncIterator[Engine]:
    """The service, allowed to fetch from the file server."""
    bms.settings(contract=contract)
    host = files.url.removeprefix("http://").partition("/")[0]
    async with working(clean_database, bms, host) as engine:
        await engine.connect()
        await engine.configure()
        yield engine


async def test_a_pdf_is_fetched_from_its_address(fetching: Engine, files: Files) -> None:
    await fetching.synced(event(pdf={"url": files.url}))
    assert names(fetching) == [named(PDF, "1042")]


async def test_what_the_address_gives_is_uploaded_anew_only_when_it_changed(fetching: Engine, files: Files) -> None:
    await fetching.synced(event(pdf={"url": files.url}))
    await fetching.synced(event("updated", pdf={"url": files.url}, totals={"one_time": "351.00"}))
    assert fetching.bms.call_counts()["POST /v2/system/attachments/{moduleId}/{objectId}"] == 1
    files.body = OTHER
    await fetching.synced(event("updated", pdf={"url": files.url}, totals={"one_time": "352.00"}))
    assert names(fetching) == [named(OTHER, "1042")]


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b""), (302, b""), (200, b"<html>not a PDF</html>"), (200, b"%PDF-" + bytes(MOST_BYTES))],
    ids=["missing", "redirect", "no-pdf", "too-large"],
)
async def test_what_must_not_be_fetched_is_refused_at_once(
    fetching: Engine, files: Files, status: int, body: bytes
) -> None:
    files.status, files.body, files.headers = status, body, {"Location": files.url}
    quote = await fetching.synced(event(pdf={"url": files.url}))
    assert codes(quote) == ["pdf_refused"]
    assert (quote["due_at"], names(fetching), files.asked) == (None, [], 1)


@pytest.mark.parametrize("url", ["http://files.example/q.pdf", "https://127.0.0.1/q.pdf", "https://10.0.0.7/q.pdf"])
async def test_an_address_that_is_not_public_https_is_refused(engine: Engine, url: str) -> None:
    quote = await engine.synced(event(pdf={"url": url}))
    assert codes(quote) == ["pdf_refused"]
    assert quote["due_at"] is None


async def test_a_pdf_that_cannot_be_fetched_is_tried_three_times_more_and_then_given_up(
    fetching: Engine, files: Files
) -> None:
    files.status = 503
    quote = await fetching.synced(event(pdf={"url": files.url}))
    assert fetching.opportunity()["amount"] == 350.0
    for _ in range(3):
        assert "tried again at" in warning(quote, "pdf_not_fetched")["detail"]
        assert quote["due_at"] is not None
        quote = await fetching.again()
    assert "four tries" in warning(quote, "pdf_not_fetched")["detail"]
    assert (quote["due_at"], files.asked) == (None, 4)


async def test_a_pdf_that_can_be_fetched_again_is_attached_then(fetching: Engine, files: Files) -> None:
    files.status = 503
    await fetching.synced(event(pdf={"url": files.url}))
    files.status = 200
    quote = await fetching.again()
    assert names(fetching) == [named(PDF, "1042")]
    assert (codes(quote), quote["due_at"]) == ([], None)
