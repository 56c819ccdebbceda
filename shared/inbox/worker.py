"""The worker: the first pending event of each lane, many lanes in one transaction, effect and `done` in one commit.

It is optimistic: no savepoints. If one event fails, the transaction is rolled back and the same events are handled
again with a savepoint each, so that the others pass and the failing one is written down. Several workers share an
inbox by SKIP LOCKED on the heads of lanes; a lane's second event is no head until the first is done or dead.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.clock import jitter
from shared.db import Database, WriteSession
from shared.events.envelope import Event, Poison, Record, parse
from shared.events.registry import Data
from shared.inbox.consumer import Consumer
from shared.inbox.receive import Inbox, unpack

_HEADS = text(
    """
    SELECT i.event_id, i.topic, i.key, i.headers, i.value, i.attempts FROM inbox i
    WHERE i.consumer = :consumer AND i.state = 'pending' AND i.not_before <= clock_timestamp()
      AND (CAST(:only AS uuid[]) IS NULL OR i.event_id = ANY(CAST(:only AS uuid[])))
      AND NOT EXISTS (SELECT FROM inbox p WHERE p.consumer = :consumer AND p.lane = i.lane
                      AND p.state = 'pending' AND p.seq < i.seq)
    ORDER BY i.seq LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_DONE = text(
    "UPDATE inbox SET state = 'done', done_at = clock_timestamp(), error = NULL"
    " WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[]))"
)
_FAILED = text(
    "UPDATE inbox SET state = :state, attempts = attempts + 1, error = :error,"
    " not_before = clock_timestamp() + make_interval(secs => :wait) WHERE consumer = :consumer AND event_id = :id"
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
    ) -> None:
        self._database, self._consumer, self._inbox = database, consumer, inbox
        self._batch, self._tries, self._base_wait, self._poll = batch, tries, base_wait, poll
        self.progressed_at = monotonic()

    async def run(self) -> None:
        """Handle what is there and what arrives, until cancelled. Survives the database's absence."""
        while True:
            self._inbox.arrived.clear()
            self.progressed_at = monotonic()
            try:
                handled = await self.step()
                wait = 0.0 if handled else await self._pause()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("inbox without its database", consumer=self._consumer.name, reason=str(error))
                wait = jitter(self._poll)
            if wait:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._inbox.arrived.wait()

    async def step(self) -> int:
        """Handle one batch of heads; return how many there were."""
        failure: Exception | None = None
        ids: list[UUID] = []
        try:
            async with self._database.transaction() as tx:
                heads = await self._heads(tx, None)
                ids = [head.event_id for head in heads]
                events = [_read(head) for head in heads]
                await self._handle(tx, events)
                await self._done(tx, ids)
            return len(ids)
        except Exception as error:
            if not ids or _is_disconnect(error):
                raise
            failure = error
        _log.info("batch failed; each event on its own", consumer=self._consumer.name, reason=str(failure))
        return await self._one_by_one(ids)

    async def _one_by_one(self, ids: Sequence[UUID]) -> int:
        async with self._database.transaction() as tx:
            heads = await self._heads(tx, ids)
            done = []
            for head in heads:
                try:
                    async with tx.begin_nested():
                        await self._handle(tx, [_read(head)])
                    done.append(head.event_id)
                except Exception as error:
                    if _is_disconnect(error):
                        raise
                    await self._failed(tx, head, error)
            await self._done(tx, done)
        return len(heads)

    async def _heads(self, tx: WriteSession, only: Sequence[UUID] | None) -> Sequence[Row[Any]]:
        parameters = {
            "consumer": self._consumer.name,
            "limit": self._batch,
            "only": None if only is None else list(only),
        }
        return (await tx.execute(_HEADS, parameters)).all()

    async def _handle(self, tx: WriteSession, events: Sequence[Event[Data]]) -> None:
        by_handler = defaultdict(list)
        for event in events:
            if (handler := self._consumer.handler_of(event.type)) is not None:
                by_handler[handler].append(event)
        for handler, concerned in by_handler.items():
            await handler(tx, concerned)

    async def _done(self, tx: WriteSession, ids: Sequence[UUID]) -> None:
        if ids:
            await tx.execute(_DONE, {"consumer": self._consumer.name, "ids": list(ids)})

    async def _failed(self, tx: WriteSession, head: Row[Any], error: Exception) -> None:
        last = isinstance(error, Poison) or head.attempts + 1 >= self._tries
        reason = f"{type(error).__name__}: {error}".replace("\0", "\\0")[:1000]
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


def _is_disconnect(error: Exception) -> bool:
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated)
