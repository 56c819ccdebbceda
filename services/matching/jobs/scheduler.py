"""Time-driven work: expiry of proposals, reminders of mentorships, and replans after events."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from services.matching.commands import proposal_replies, reminders, replan
from shared import clock
from shared.background import every
from shared.db import Database, WriteSession
from shared.errors import Conflict, KeiError

POLL_SECONDS = 1.0
"""Maximum pause between two checks for due work."""

_log = structlog.get_logger(__name__)

Due = Callable[[WriteSession], Awaitable[Sequence[UUID]]]
Work = Callable[[Database, UUID], Awaitable[None]]


class Scheduler:
    """Runs each kind of work in its own loop, so that a failure of one kind does not stop the others.

    Args:
        debounce: seconds without new events of a consortium before it is replanned.
    """

    def __init__(self, debounce: float) -> None:
        self._debounce = timedelta(seconds=debounce)
        self._poll_seconds = min(POLL_SECONDS, debounce)

    async def run(self, database: Database) -> None:
        """Run due work until cancelled."""
        kinds: tuple[tuple[str, Due, Work], ...] = (
            (
                "proposal expiry failed, retrying",
                lambda tx: proposal_replies.due_consortia(tx, clock.now()),
                partial(_in_batches, proposal_replies.expire),
            ),
            (
                "mentorship reminders failed, retrying",
                lambda tx: reminders.due_consortia(tx, clock.now()),
                partial(_in_batches, reminders.remind),
            ),
            ("replan failed, retrying", lambda tx: replan.due_consortia(tx, self._debounce), self._replan),
        )
        async with asyncio.TaskGroup() as group:
            for failure_message, due, work in kinds:
                job = partial(run_due_work, database, due, work, failure_message)
                group.create_task(every(self._poll_seconds, job, failure_message=failure_message))

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


async def run_due_work(database: Database, due: Due, work: Work, failure_message: str) -> None:
    """Do the work of each due consortium. A failure is logged and does not stop the others."""
    async with database.transaction() as tx:
        consortium_ids = await due(tx)
    for consortium_id in consortium_ids:
        try:
            await work(database, consortium_id)
        except Exception:  # noqa: BLE001  other consortia must not wait for the repair of one
            _log.exception(failure_message, consortium=str(consortium_id))


async def _in_batches(
    batch: Callable[[WriteSession, UUID, datetime], Awaitable[int]], database: Database, consortium_id: UUID
) -> None:
    """Run transactions until a batch finds nothing due."""
    while True:
        async with database.transaction() as tx:
            if not await batch(tx, consortium_id, clock.now()):
                return
