"""What matching does by itself: ends what is overdue, reminds, and asks for plans that follow events."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.matching.commands import proposal_replies, reminders, replan
from shared import clock
from shared.db import Database, WriteSession
from shared.errors import Conflict, KeiError

POLL_SECONDS = 1.0
"""Seconds between two looks, at most."""

_log = structlog.get_logger(__name__)


class Scheduler:
    """Looks after proposals, mentorships and plans.

    Args:
        rest: seconds for which the events of a consortium must have rested before a plan follows them.
    """

    def __init__(self, rest: float) -> None:
        self._rest = timedelta(seconds=rest)
        self._look = min(POLL_SECONDS, rest)

    async def run(self, database: Database) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self._due(database, proposal_replies.expire)
                await self._due(database, reminders.remind)
                await self._followed(database)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("nobody looks after proposals and mentorships", reason=repr(error))
            await asyncio.sleep(clock.jitter(self._look))

    async def _due(self, database: Database, work: Callable[[WriteSession, datetime], Awaitable[int]]) -> None:
        """Do what is due, a part at a time."""
        while True:
            async with database.transaction() as tx:
                if not await work(tx, clock.now()):
                    return

    async def _followed(self, database: Database) -> None:
        async with database.transaction() as tx:
            due = await replan.due_consortia(tx, self._rest)
        for consortium_id in due:
            try:
                async with database.transaction() as tx:
                    await replan.begin(tx, consortium_id, clock.now().date(), self._rest)
            except Conflict:
                continue  # it is looked at again: a run is being made, or events wait to be handled
            except KeiError as error:
                _log.warning("no plan follows the events", consortium=str(consortium_id), reason=error.message)
                async with database.transaction() as tx:
                    await replan.discard_causes(tx, consortium_id)
