"""What the steps share: ids that earlier steps filled in, and columns of the link written under the fence."""

from typing import Any

from app.db import lanes, links
from app.sync.errand import Errand


async def save(errand: Errand, **values: Any) -> None:  # noqa: ANN401 - columns of the link
    """Write columns of the link; raises LeaseLostError where the lane is somebody else's now."""
    async with errand.database.transaction() as session:
        await lanes.hold(session, errand.claim)
        await links.save(session, errand.connection_id, errand.quote_id, **values)
    for name, value in values.items():
        setattr(errand.link, name, value)


def need(kaseya_id: int | None) -> int:
    """An id that an earlier step of the plan has filled in."""
    assert kaseya_id is not None
    return kaseya_id
