"""The worker handles the first pending event of many partition keys in one transaction with their state `done`.

It starts without savepoints. If an event fails, the transaction is rolled back and the same events are handled again,
each in a savepoint, so that only the failing event records a failure. If that fails too, because a handler hangs or the
commit is refused, each event gets its own transaction. Workers share an inbox through SKIP LOCKED on the first event of
each key; the second event of a key is handled after the first is done or dead.
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

HANDLER_DEADLINE = 10.0
"""Seconds for the handlers of one transaction, below PostgreSQL's idle_in_transaction_session_timeout."""

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
# Another worker may have handled the event since the failure; its result counts then.
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
        inbox: wakes the worker when records arrive.
        batch: maximum number of events in one transaction.
        max_attempts: attempts before a failing event is dead.
        retry_base_seconds: seconds before the second attempt; doubled each time, with jitter.
        poll: seconds between two polls if no records arrive.
        deadline: seconds for the handlers of one transaction.
    """

    def __init__(
        self,
        database: Database,
        consumer: Consumer,
        inbox: Inbox,
        *,
        batch: int = 100,
        max_attempts: int = 5,
        retry_base_seconds: float = 0.5,
        poll: float = 1.0,
        deadline: float = HANDLER_DEADLINE,
    ) -> None:
        self._database, self._consumer, self._inbox = database, consumer, inbox
        self._batch, self._poll = batch, poll
        self._max_attempts, self._retry_base_seconds = max_attempts, retry_base_seconds
        self._deadline = deadline
        self.progressed_at = monotonic()

    async def run(self) -> None:
        """Handle what is pending and what arrives, until cancelled. Survives the absence of the database."""
        await every(
            self._poll,
            self._handle_and_pause,
            job="inbox worker",
            wake=self._inbox.arrived,
            consumer=self._consumer.name,
        )

    async def _handle_and_pause(self) -> float:
        """Handle one batch; return the seconds until the next."""
        try:
            return 0.0 if await self.step() else await self._pause()
        finally:
            self.progressed_at = monotonic()

    async def step(self) -> int:
        """Handle one batch; return the number of events."""
        heads: Sequence[Row[Any]] = []
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                heads = await self._heads(tx)
                if heads:
                    failpoint("worker.claimed")
                await self._handle(tx, heads)
            if heads:
                failpoint("worker.done")
        except Exception as error:
            if not heads or _is_disconnect(error):
                raise
            _log.info(
                "batch failed, retrying each event in a savepoint", consumer=self._consumer.name, reason=repr(error)
            )
            await self._handle_each(heads)
        return len(heads)

    async def _handle_each(self, heads: Sequence[Row[Any]]) -> None:
        self.progressed_at = monotonic()
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                for head in await self._heads(tx, heads):
                    await self._in_savepoint(tx, head)
        except Exception as error:
            if _is_disconnect(error):
                raise
            _log.info(
                "savepoints failed, retrying each event in a transaction",
                consumer=self._consumer.name,
                reason=repr(error),
            )
            for head in heads:
                await self._handle_alone(head)

    async def _in_savepoint(self, tx: WriteSession, head: Row[Any]) -> None:
        try:
            async with tx.savepoint():
                await self._handle(tx, [head])
        except Exception as error:
            if _is_disconnect(error):
                raise
            await self._record_failure(tx, head, error)

    async def _handle_alone(self, head: Row[Any]) -> None:
        self.progressed_at = monotonic()
        locked: Sequence[Row[Any]] = []
        try:
            async with asyncio.timeout(self._deadline), self._database.transaction() as tx:
                locked = await self._heads(tx, [head])
                await self._handle(tx, locked)
        except Exception as error:
            if not locked or _is_disconnect(error):
                raise
            async with self._database.transaction() as tx:
                await self._record_failure(tx, head, error)

    async def _heads(self, tx: WriteSession, among: Sequence[Row[Any]] | None = None) -> Sequence[Row[Any]]:
        parameters = {
            "consumer": self._consumer.name,
            "limit": self._batch,
            "only": None if among is None else [head.event_id for head in among],
        }
        return (await tx.execute(_HEADS, parameters)).all()

    async def _handle(self, tx: WriteSession, heads: Sequence[Row[Any]]) -> None:
        """Call the handlers and set the states. An unreadable event is dead at once."""
        by_handler = defaultdict(list)
        done, unreadable = [], []
        for head in heads:
            try:
                event = _read(head)
            except Poison as poison:
                unreadable.append((head, poison))
                continue
            done.append(head.event_id)
            if (handler := self._consumer.handler_of(event.type)) is not None:
                by_handler[handler].append(event)
        for handler, handled in by_handler.items():
            await handler(tx, handled)
        if by_handler:
            failpoint("worker.handled")
        if done:
            await tx.execute(_DONE, {"consumer": self._consumer.name, "ids": done})
        for head, reason in unreadable:
            await self._record_failure(tx, head, reason)

    async def _record_failure(self, tx: WriteSession, head: Row[Any], error: Exception) -> None:
        is_last = isinstance(error, Poison) or head.attempts + 1 >= self._max_attempts
        reason = _storable(f"{type(error).__name__}: {error}")
        _log.warning(
            "event is dead" if is_last else "event failed",
            consumer=self._consumer.name,
            event_id=str(head.event_id),
            attempt=head.attempts + 1,
            reason=reason,
        )
        parameters = {
            "consumer": self._consumer.name,
            "id": head.event_id,
            "attempts": head.attempts,
            "state": "dead" if is_last else "pending",
            "error": reason,
            "wait": jitter(self._retry_base_seconds * 2**head.attempts),
        }
        await tx.execute(_FAILED, parameters)

    async def _pause(self) -> float:
        async with self._database.reading() as session:
            due = await session.scalar(_NEXT, {"consumer": self._consumer.name})
        return self._poll if due is None else min(max(due, 0.01), self._poll)


def _read(head: Row[Any]) -> Event[Data]:
    return parse(Record(head.key, unpack(head.headers), head.value), head.topic)


def _storable(text: str) -> str:
    """The text without characters that PostgreSQL refuses, or the failure could never be recorded."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()[:1000]


def _is_disconnect(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
