"""The quote's PDF: fetched or taken from beside the quote, attached when its content changed, else told as a note."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from app.db import intents, lanes, links
from app.db.tables import QuoteDocument
from app.kaseya import FetchFailedError, FetchRefusedError, KaseyaRejectedError
from app.sync.creates import create
from app.sync.errand import Errand
from app.sync.mapping import QuoteWarning
from app.sync.steps import PushPdf, WriteNote

MAX_PDF_BYTES = 10 * 1024 * 1024
FETCH_TIMEOUT = timedelta(seconds=10)
FETCH_PAUSES = (timedelta(minutes=2), timedelta(minutes=13), timedelta(minutes=45))
"""A PDF that cannot be fetched is tried again three times within an hour."""
REMOVE_AGAIN = timedelta(hours=1)
REMOVE_WITHIN = timedelta(days=1)
SHOWN_DIGITS = 8


async def push_pdf(errand: Errand, step: PushPdf) -> None:
    """Attach the PDF if its content changed; what is wrong with it is a warning and never stops the quote."""
    try:
        await _push_pdf(errand, step)
    except KaseyaRejectedError as error:
        _refuse(errand, f"{error}. Is {step.module_id} the module of opportunities in the settings?")


async def _push_pdf(errand: Errand, step: PushPdf) -> None:
    content = await _content(errand, step)
    if content is None:
        return
    limit = errand.connection.max_attachment_bytes
    if limit is not None and len(content) > limit:
        _refuse(errand, f"It has {len(content)} bytes, and BMS takes {limit}.")
        return
    digest = hashlib.sha256(content).hexdigest()
    if digest != errand.link.attachment_digest:
        await _attach(errand, step, content, digest)


async def _content(errand: Errand, step: PushPdf) -> bytes | None:
    if step.pdf.url is None:
        async with errand.database.transaction() as session:
            document = await session.get(QuoteDocument, (errand.connection_id, errand.quote_id))
        return document.content if document else None
    try:
        fetched = await errand.wire.fetch(step.pdf.url, max_bytes=MAX_PDF_BYTES, timeout=FETCH_TIMEOUT)
    except FetchRefusedError as error:
        _refuse(errand, str(error))
        return None
    except FetchFailedError as error:
        await _try_later(errand, str(error))
        return None
    await _count_tries(errand, 0)
    if not fetched.content.startswith(b"%PDF-"):
        _refuse(errand, "What its address gives is not a PDF.")
        return None
    return fetched.content


async def _try_later(errand: Errand, reason: str) -> None:
    tries = errand.link.pdf_tries
    if tries < len(FETCH_PAUSES):
        errand.follow_up_at = errand.clock() + FETCH_PAUSES[tries]
        await _count_tries(errand, tries + 1)
        detail = f"The PDF could not be fetched; it is tried again at {errand.follow_up_at:%H:%M} UTC. {reason}"
    else:
        await _count_tries(errand, 0)
        detail = f"The PDF could not be fetched in four tries within an hour. {reason}"
    errand.warnings.append(QuoteWarning("pdf_not_fetched", detail))


async def _count_tries(errand: Errand, tries: int) -> None:
    if errand.link.pdf_tries == tries:
        return
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.save(session, errand.connection_id, errand.quote_id, pdf_tries=tries)
    errand.link.pdf_tries = tries


def _refuse(errand: Errand, reason: str) -> None:
    errand.warnings.append(QuoteWarning("pdf_refused", f"The PDF was not attached. {reason}"))


async def _attach(errand: Errand, step: PushPdf, content: bytes, digest: str) -> None:
    """The new one first, then ours of before is removed; a user's own files are never touched."""
    opportunity_id = errand.link.opportunity_id
    assert opportunity_id is not None
    name = attachment_name(step.pdf.filename or errand.quote.number or "quote", digest)

    async def send() -> dict[str, Any]:
        made = await errand.client.attachments.upload(step.module_id, opportunity_id, name, content, "application/pdf")
        return {"id": made.id}

    hint = {"module_id": step.module_id, "opportunity_id": opportunity_id, "name": name, "digest": digest}
    key = f"{opportunity_id}/{name}"
    await create(errand, "attachment", key, hint=hint, send=send)
    await remove_former(errand)


async def remove_former(errand: Errand) -> None:
    """Remove our attachments of before the linked one; a run that ended in between left this to the next.

    Their notes go with them: the same content may come back later, and is uploaded anew then. One that BMS will not
    remove is tried again every hour, for a day.
    """
    async with errand.database.transaction() as session:
        made = await intents.done_of(session, errand.connection_id, errand.quote_id, "attachment")
    for intent in made:
        attachment_id, hint = (intent.result or {}).get("id"), intent.hint
        if attachment_id is None or attachment_id == errand.link.attachment_id:
            continue
        try:
            await errand.client.attachments.delete(hint["module_id"], hint["opportunity_id"], attachment_id)
        except KaseyaRejectedError:
            if await _is_attached(errand, hint, attachment_id) and errand.clock() - intent.sent_at < REMOVE_WITHIN:
                errand.follow_up_at = errand.clock() + REMOVE_AGAIN
                continue
        async with errand.database.transaction() as session:
            await lanes.hold(session, errand.claim)
            await intents.withdraw(session, errand.connection_id, "attachment", intent.key)


async def _is_attached(errand: Errand, hint: Mapping[str, Any], attachment_id: int) -> bool:
    """Whether BMS still has it; a user may have removed it, and what says no to that is told apart by nothing else."""
    listed = await errand.client.attachments.list(hint["module_id"], hint["opportunity_id"])
    return any(each.id == attachment_id for each in listed)


def attachment_name(filename: str, digest: str) -> str:
    """``<name>-<8 hex of digest>.pdf``: the digest tells versions apart, and finds ours again."""
    stem = PurePosixPath(filename.replace("\\", "/")).name
    stem = stem[: -len(".pdf")] if stem.lower().endswith(".pdf") else stem
    safe = "".join(character if character.isprintable() and character not in '<>:"|?*' else "_" for character in stem)
    return f"{safe.strip()[:100] or 'quote'}-{digest[:SHOWN_DIGITS]}.pdf"


async def write_note(errand: Errand, step: WriteNote) -> None:
    """Write the quote's address on the opportunity, with our marker."""
    opportunity_id = errand.link.opportunity_id
    assert opportunity_id is not None
    text = f"Quote: {step.url}\n\n{errand.mark}"

    async def send() -> dict[str, Any]:
        return {"id": (await errand.client.opportunities.add_note(opportunity_id, text)).id}

    key = f"{opportunity_id}/{hashlib.sha256(step.url.encode()).hexdigest()}"
    hint = {"opportunity_id": opportunity_id, "text": text, "url": step.url}
    await create(errand, "note", key, hint=hint, send=send)
