"""What members does by itself: once an hour it looks for labels whose time is over."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.members.commands import labels
from shared import clock
from shared.db import Database

EVERY = 3600.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


async def expiry(database: Database) -> None:
    """Look again and again, until cancelled."""
    while True:
        try:
            ended = 1
            while ended:
                async with database.transaction() as tx:
                    ended = await labels.expire(tx, clock.now().date())
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            _log.warning("nobody looks after labels", reason=repr(error))
        await asyncio.sleep(clock.jitter(EVERY))
