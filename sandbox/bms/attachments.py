"""Files attached to records (System)."""

from __future__ import annotations

import base64
import hashlib
from pathlib import PurePath

from sandbox.bms.filters import comma_separated
from sandbox.bms.system import MAXIMUM_ATTACHMENT_MEGABYTES
from sandbox.contract import FILE, LISTED, NOTHING, Group, Request, form_of, json_of, many, one, paged
from sandbox.errors import MissingError, RefusedError
from sandbox.shapes import Record, UploadedFile, shape
from sandbox.world import World

group = Group("Attachments")

_OBJECT = "/v2/system/attachments/{moduleId}/{objectId}"
ATTACHMENT = shape(
    "Attachment",
    "Id int, OriginalFileName text?, AliasName text?, FileType text?, ObjectId int?, ModuleId int?, Url text?, "
    "WebUrl text?, CreatedById int?, CreatedByName text?, CreatedOn time?, IsUploadedToBlob flag?",
)
TEMPORARY = shape("TempAttachmentOuput", "Name text?, Alias text?, FileType text?, IsUploadedToBlob flag?")
UPLOAD = shape("AttachmentUpload", "formFile* file")
TEMPORARY_UPLOAD = shape("TempAttachmentUpload", "File* file")
RENAME = shape("AttachmentPutInput", "Id int, Name* text+")


@group.get(_OBJECT, paged(ATTACHMENT), query=LISTED)
def list_attachments(world: World, request: Request) -> list[Record]:
    """List the files of a record."""
    _check_module(world, request.path["moduleId"])
    return [view_attachment(world, record) for record in _held(world, request)]


@group.post(_OBJECT, many(ATTACHMENT, paginated=False), form_of(UPLOAD))
def upload(world: World, request: Request) -> list[Record]:
    """Attach a file to a record."""
    _check_module(world, request.path["moduleId"], request.path["objectId"])
    file: UploadedFile = request.body["formFile"]
    place = {"ModuleId": request.path["moduleId"], "ObjectId": request.path["objectId"]}
    return [view_attachment(world, add_file(world, file, place, by=request.user_id))]


@group.get(f"{_OBJECT}/{{attachmentId}}", one(ATTACHMENT))
def get_attachment(world: World, request: Request) -> Record:
    """Return what is known of a file."""
    return view_attachment(world, _one(world, request))


@group.get(f"{_OBJECT}/{{attachmentId}}/download", FILE, query="width int, height int")
def download(world: World, request: Request) -> UploadedFile:
    """Return a file itself."""
    record = _one(world, request)
    content = base64.b64decode(record["Content"])
    return UploadedFile(record["OriginalFileName"], record["FileType"] or "application/octet-stream", content)


@group.put(f"{_OBJECT}/{{attachmentId}}", NOTHING, json_of(RENAME))
def rename(world: World, request: Request) -> None:
    """Give a file another name."""
    name = {"OriginalFileName": request.body["Name"]}
    world.store.change("attachments", _one(world, request)["Id"], name, by=request.user_id)


@group.delete(f"{_OBJECT}/{{attachmentId}}", NOTHING)
def delete_attachment(world: World, request: Request) -> None:
    """Remove a file."""
    world.store.remove("attachments", _one(world, request)["Id"])


@group.post("/v2/system/attachments/{moduleId}", one(TEMPORARY), form_of(TEMPORARY_UPLOAD))
def upload_temporary(world: World, request: Request) -> Record:
    """Keep a file that belongs to no record yet."""
    _check_module(world, request.path["moduleId"])
    place = {"ModuleId": request.path["moduleId"], "IsTemporary": True}
    record = add_file(world, request.body["File"], place, by=request.user_id)
    return record | {"Name": record["OriginalFileName"], "Alias": record["AliasName"], "IsUploadedToBlob": True}


@group.delete("/v2/system/attachments", NOTHING, query="attachmentIds text")
def delete_attachments(world: World, request: Request) -> None:
    """Remove several files, named by a comma-separated list of ids."""
    for attachment_id in comma_separated(request.query.get("attachmentIds", "")):
        world.store.remove("attachments", attachment_id)


def add_file(world: World, file: UploadedFile, place: Record, *, by: int | None = None) -> Record:
    """Store a file at a place. Raises RefusedError when it is empty or too large."""
    if not file.content:
        raise RefusedError("The file is empty.")
    if len(file.content) > MAXIMUM_ATTACHMENT_MEGABYTES * 1024 * 1024:
        raise RefusedError(f"The file is larger than {MAXIMUM_ATTACHMENT_MEGABYTES} MB.")
    values = {
        "OriginalFileName": file.filename,
        "FileType": file.content_type,
        "Content": base64.b64encode(file.content).decode(),
        "Size": len(file.content),
        "Sha256": hashlib.sha256(file.content).hexdigest(),
    }
    record = world.store.add("attachments", values | place, by=by)
    record["AliasName"] = f"{record['Id']}{PurePath(file.filename).suffix}"
    return record


def view_attachment(world: World, record: Record) -> Record:
    """Return a file's entry with its addresses."""
    path = f"system/attachments/{record['ModuleId']}/{record['ObjectId']}/{record['Id']}/download"
    return record | {
        "Url": path,
        "CreatedById": record["CreatedBy"],
        "CreatedByName": world.name("employees", record["CreatedBy"], "Username"),
        "IsUploadedToBlob": True,
    }


def _held(world: World, request: Request) -> list[Record]:
    place = {"ModuleId": request.path["moduleId"], "ObjectId": request.path["objectId"]}
    return list(world.store.all("attachments", **place))


def _one(world: World, request: Request) -> Record:
    for record in _held(world, request):
        if record["Id"] == request.path["attachmentId"]:
            return record
    raise MissingError(f"There is no attachment {request.path['attachmentId']} on this record.")


def _check_module(world: World, module_id: int, object_id: int | None = None) -> None:
    module = world.known("attachment_modules", module_id, "Module")
    if object_id is not None and module["Collection"] is not None:
        world.known(module["Collection"], object_id, "Object")
