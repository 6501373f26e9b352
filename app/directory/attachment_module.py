"""Which module id stands for opportunities where files are attached: not published, and different between tenants."""

from dataclasses import dataclass

from app.kaseya import KaseyaClient, KaseyaRejectedError

LAST_MODULE = 100


@dataclass(frozen=True, slots=True)
class Probed:
    """The module under which a file was found, None where there was none; ``asked`` modules cost a call each."""

    module_id: int | None
    asked: int


async def find_module(client: KaseyaClient, opportunity_id: int) -> Probed:
    """Ask for the files of an opportunity under one module id after the other, and stop at the first that shows any.

    The same number may name a record of another module that has files too; a file that a person has just attached to
    an opportunity with a high number makes that unlikely. Raises KaseyaError.
    """
    for module_id in range(1, LAST_MODULE + 1):
        try:
            files = await client.attachments.list(module_id, opportunity_id)
        except KaseyaRejectedError:  # no such module, or none that this user may see
            continue
        if any(each.object_id in (None, opportunity_id) for each in files):
            return Probed(module_id, asked=module_id)
    return Probed(None, asked=LAST_MODULE)
