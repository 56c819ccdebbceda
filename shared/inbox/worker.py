"""The worker: the first pending event of each lane, many lanes in one transaction, effect and `done` in one commit.

It is optimistic: no savepoints. If one event fails, the transaction is rolled back and the same events are handled
again with a savepoint each, so that the others pass and the failing one is written down; where that comes to no end,
since a handler hangs or the commit itself is refused, in a transaction each. Several workers share an inbox by SKIP
LOCKED on the heads of lanes; a lane's second event is no head until the first is done or dead.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError

from shared.background import every
from shared.clock import jitter
from shared.db import Database, WriteSession
from shared.events.envelope import Event, Poison, Record, parse
from shared.events.registry import Data
from shared.failpoints import failpoint
from shared.inbox.consumer import Consumer
from shared.inbox.receive import Inbox, unpack

DEADLINE = 10.0
"""Seconds for the handlers of one transaction: PostgreSQL would end it, and its connection, a little later."""

_HEADS = text(
    """
    SELECT i.event_id, i.topic, i.key, i.headers, i.value, i.attempts FROM inbox i
    WHERE i.consumer = :consumer AND i.state = 'pending' AND i.not_before <= clock_timestamp()
      AND (CAST(:only AS uuid[]) IS NULL OR i.event_id = ANY(CAST(:only AS uuid[])))
      AND NOT EXISTS (SELECT FROM inbox p WHERE p.consumer = :consumer AND p.partition_key = i.partition_key
                      AND p.state = 'pending' AND p.seq < i.seq)
    ORDER BY i.seq LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_DONE = text(
    "UPDATE inbox SET state = 'done', done_at = clock_timestamp(), error = NULL"
    " WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[]))"
)
# Between the failure and this, another worker may have had the event; then its word counts.
_FAILED = text(
    """
    UPDATE inbox SET state = :state, attempts = attempts + 1, error = :error,
           not_before = clock_timestamp() + make_interval(secs => :wait)
    WHERE consumer = :consumer AND event_id = (
        SELECT event_id FROM inbox WHERE consumer = :consumer AND event_id = :id AND state = 'pending'
           AND attempts = :attempts FOR UPDATE SKIP LOCKED)
    """
)
_NEXT = text(
    "SELECT extract(epoch FROM min(not_before) - clock_timestamp())::float8 FROM inbox"
    " WHERE consumer = :consumer AND state = 'pending' AND not_before > clock_timestamp()"
)

_log = structlog.get_logger(__name__)


class Worker:
    """Handles one consumer's inbox.

    Args:
        inbox: woken by arrivals.
        batch: lanes handled in one transaction, at most.
        tries: how often a failing event is handled before it is dead.
        base_wait: seconds before the second try; doubled each time, with jitter.
        poll: seconds between looks without arrivals.
        deadline: seconds for the handlers of one transaction.
    """

    def __init__(
        self,
        database: Database,
        consumer: Consumer,
        inbox: Inbox,
        *,
        batch: int = 100,
        tries: int = 5,
        base_wait: float = 0.5,
        poll: float = 1.0,
        deadline: float = DEADLINE,
    ) -> None:
        self._database, self._consumer, self._inbox = database, consumer, inbox
        self._batch, self._tries, self._base_wait, self._poll = batch, tries, base_wait, poll
        self._deadline = deadline
        self.progressed_at = monotonic()

    async def run(self) -> None:
        """Handle what is pending and what arrives, until cancelled. Survives the absence of the database."""
        await every(
            self._poll,
            self._turn,
            failure_message="inbox worker failed, retrying",
            wake=self._inbox.arrived,
            consumer=self._consumer.name,
        )

    async def _turn(self) -> float:
        """Handle one batch; return the seconds until the next."""
        try:
            return 0.0 if await self.step() else await self._pause()
        finally:
            self.progressed_at = monotonic()

    async def step(self) -> int:
        """Handle one batch of heads; return how many there were."""
        heads: Sequence[Row[Any]] = []
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                heads = await self._heads(tx)
                if heads:
                    failpoint("worker.taken")
                await self._handle(tx, heads)
            if heads:
                failpoint("worker.done")
        except Exception as error:
            if not heads or _is_disconnect(error):
                raise
            _log.info("batch failed; each event on its own", consumer=self._consumer.name, reason=repr(error))
            await self._each(heads)
        return len(heads)

    async def _each(self, heads: Sequence[Row[Any]]) -> None:
        self.progressed_at = monotonic()
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                for head in await self._heads(tx, heads):
                    await self._in_savepoint(tx, head)
        except Exception as error:
            if _is_disconnect(error):
                raise
            _log.info("no end with savepoints", consumer=self._consumer.name, reason=repr(error))
            for head in heads:
                await self._alone(head)

    async def _in_savepoint(self, tx: WriteSession, head: Row[Any]) -> None:
        try:
            async with tx.savepoint():
                await self._handle(tx, [head])
        except Exception as error:
            if _is_disconnect(error):
                raise
            await self._failed(tx, head, error)

    async def _alone(self, head: Row[Any]) -> None:
        self.progressed_at = monotonic()
        found: Sequence[Row[Any]] = []
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                found = await self._heads(tx, [head])
                await self._handle(tx, found)
        except Exception as error:
            if not found or _is_disconnect(error):
                raise
            async with self._database.transaction() as tx:
                await self._failed(tx, head, error)

    async def _heads(self, tx: WriteSession, only: Sequence[Row[Any]] | None = None) -> Sequence[Row[Any]]:
        parameters = {
            "consumer": self._consumer.name,
            "limit": self._batch,
            "only": None if only is None else [head.event_id for head in only],
        }
        return (await tx.execute(_HEADS, parameters)).all()

    async def _handle(self, tx: WriteSession, heads: Sequence[Row[Any]]) -> None:
        """The effects of these events, and their marks. What cannot be read is dead without more ado."""
        by_handler = defaultdict(list)
        done, poisonous = [], []
        for head in heads:
            try:
                event = _read(head)
            except Poison as poison:
                poisonous.append((head, poison))
                continue
            done.append(head.event_id)
            if (handler := self._consumer.handler_of(event.type)) is not None:
                by_handler[handler].append(event)
        for handler, concerned in by_handler.items():
            await handler(tx, concerned)
        if by_handler:
            failpoint("worker.handled")
        if done:
            await tx.execute(_DONE, {"consumer": self._consumer.name, "ids": done})
        for head, reason in poisonous:
            await self._failed(tx, head, reason)

    async def _failed(self, tx: WriteSession, head: Row[Any], error: Exception) -> None:
        last = isinstance(error, Poison) or head.attempts + 1 >= self._tries
        reason = _storable(f"{type(error).__name__}: {error}")
        _log.warning(
            "event is dead" if last else "event failed",
            consumer=self._consumer.name,
            event_id=str(head.event_id),
            attempt=head.attempts + 1,
            reason=reason,
        )
        parameters = {
            "consumer": self._consumer.name,
            "id": head.event_id,
            "attempts": head.attempts,
            "state": "dead" if last else "pending",
            "error": reason,
            "wait": jitter(self._base_wait * 2**head.attempts),
        }
        await tx.execute(_FAILED, parameters)

    async def _pause(self) -> float:
        async with self._database.reading() as session:
            due = await session.scalar(_NEXT, {"consumer": self._consumer.name})
        return self._poll if due is None else min(max(due, 0.01), self._poll)


def _read(head: Row[Any]) -> Event[Data]:
    return parse(Record(head.key, unpack(head.headers), head.value), head.topic)


def _storable(text: str) -> str:
    """What PostgreSQL takes as text, whatever an error says: a reason that cannot be kept would be no end."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()[:1000]


def _is_disconnect(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
