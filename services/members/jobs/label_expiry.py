"""Ends labels whose validity is over, once an hour."""

from collections.abc import Collection, Sequence
from uuid import UUID

from services.members.commands import labels
from shared import clock
from shared.background import Items, every
from shared.db import Database

INTERVAL_SECONDS = 3600.0
RETRY_SECONDS = 30.0
"""Between two checks while a label is set aside after an error."""
JOB = "label expiry"


async def expire_labels(database: Database) -> None:
    """Run until cancelled."""
    items = Items(JOB)

    async def due(excluded: Collection[UUID]) -> Sequence[UUID]:
        async with database.transaction() as tx:
            return await labels.due(tx, clock.now().date(), excluded)

    async def expire(cluster_id: UUID) -> None:
        async with database.transaction() as tx:
            await labels.expire(tx, cluster_id, clock.now().date())

    async def work() -> float | None:
        await items.work_off(due, expire)
        return RETRY_SECONDS if items.set_aside() else None

    await every(INTERVAL_SECONDS, work, job=JOB)
