"""Ends labels whose validity is over, once an hour."""

from services.members.commands import labels
from shared import clock
from shared.background import every
from shared.db import Database

INTERVAL_SECONDS = 3600.0


async def expire_labels(database: Database) -> None:
    """Run until cancelled."""

    async def expire() -> None:
        expired = 1
        while expired:
            async with database.transaction() as tx:
                expired = await labels.expire(tx, clock.now().date())

    await every(INTERVAL_SECONDS, expire, failure_message="label expiry failed, retrying")
