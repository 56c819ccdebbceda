"""Time-driven work: expiry of proposals, reminders of mentorships, and replans after events."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias
from uuid import UUID

import structlog

from services.matching.commands import proposal_replies, reminders, replan
from shared import clock
from shared.background import Items, every
from shared.db import Database, WriteSession
from shared.errors import Conflict, KeiError

POLL_SECONDS = 1.0
"""Maximum pause between two checks for due work."""

_log = structlog.get_logger(__name__)

Due: TypeAlias = Callable[[WriteSession, Collection[UUID]], Awaitable[Sequence[UUID]]]
Work: TypeAlias = Callable[[Database, UUID], Awaitable[None]]
Command: TypeAlias = Callable[[WriteSession, UUID, datetime], Awaitable[object]]


class Scheduler:
    """Runs each kind of work in its own loop, and keeps the items of a kind apart: a failure stops nothing else.

    Args:
        debounce: seconds without new events of a consortium before it is replanned.
    """

    def __init__(self, debounce: float) -> None:
        self._debounce = timedelta(seconds=debounce)
        self._poll_seconds = min(POLL_SECONDS, debounce)

    async def run(self, database: Database) -> None:
        """Run due work until cancelled."""
        jobs: tuple[tuple[str, Due, Work], ...] = (
            (
                "proposal expiry",
                lambda tx, excluded: proposal_replies.due(tx, clock.now(), excluded),
                partial(_in_transaction, proposal_replies.expire),
            ),
            (
                "mentorship reminders",
                lambda tx, excluded: reminders.due(tx, clock.now(), excluded),
                partial(_in_transaction, reminders.remind),
            ),
            ("replan", lambda tx, excluded: replan.due_consortia(tx, self._debounce, excluded), self._replan),
        )
        async with asyncio.TaskGroup() as group:
            for job, due, work in jobs:
                items = Items(job, pause=self._poll_seconds)
                check = partial(items.work_off, partial(_due, database, due), partial(work, database))
                group.create_task(every(self._poll_seconds, check, job=job))

    async def _replan(self, database: Database, consortium_id: UUID) -> None:
        try:
            async with database.transaction() as tx:
                await replan.begin(tx, consortium_id, clock.now().date(), self._debounce)
        except Conflict:
            return  # the causes stay for the next check: a run is running, or the inbox is behind
        except KeiError as error:
            _log.warning("replan failed, causes discarded", consortium=str(consortium_id), reason=error.message)
            async with database.transaction() as tx:
                await replan.discard_causes(tx, consortium_id)


async def _due(database: Database, due: Due, excluded: Collection[UUID]) -> Sequence[UUID]:
    async with database.transaction() as tx:
        return await due(tx, excluded)


async def _in_transaction(command: Command, database: Database, id: UUID) -> None:
    async with database.transaction() as tx:
        await command(tx, id, clock.now())
