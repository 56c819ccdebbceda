"""The relay: places committed events, sends them in order, marks what the transport has taken. One leads per service.

It leads while its own connection holds an advisory lock; every statement it leads with goes over that connection and
names the epoch it took. A frozen leader keeps the lock, so whoever stands by ends a leader's connection when that has
shown no progress for `lease` seconds. What a frozen leader still sends later repeats what its successor sent, from
the same place and in the same order: first sightings stay in order, and inboxes drop the rest.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from time import monotonic
from typing import TypeAlias

import asyncpg
import structlog

from shared.clock import jitter
from shared.db import CONNECTION_ERRORS, TRANSACTION_TIMEOUT, Database
from shared.events.envelope import Stored
from shared.failpoints import failpoint
from shared.outbox.wake import CHANNEL
from shared.transport import Transport, TransportError

LOCK = 0x4B6569
"""The advisory lock of a database's relay."""

_COLUMNS = "o.seq, o.position, o.topic, o.id, o.type, o.source, o.key, o.version, o.time, o.traceparent, o.data"
_TAKE = """
    UPDATE outbox_relay SET epoch = epoch + 1, holder = $1, heartbeat_at = clock_timestamp()
    RETURNING epoch, assigned, sent
"""
_PLACE = f"""
    WITH mine AS (SELECT assigned FROM outbox_relay WHERE epoch = $1 FOR UPDATE),
    batch AS (SELECT id, seq FROM outbox WHERE position IS NULL AND seq > $2 ORDER BY seq LIMIT $3),
    numbered AS (SELECT id, mine.assigned + row_number() OVER (ORDER BY seq) AS place FROM batch, mine),
    placed AS (UPDATE outbox o SET position = n.place FROM numbered n WHERE o.id = n.id RETURNING {_COLUMNS}),
    counted AS (
        UPDATE outbox_relay SET assigned = assigned + (SELECT count(*) FROM placed), heartbeat_at = clock_timestamp()
        WHERE epoch = $1 AND EXISTS (SELECT FROM placed)
    )
    SELECT * FROM placed ORDER BY position
"""  # noqa: S608  only constants are put in
_UNSENT = f"SELECT {_COLUMNS} FROM outbox o WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"  # noqa: S608
_MARK = "UPDATE outbox_relay SET sent = greatest(sent, $2), heartbeat_at = clock_timestamp() WHERE epoch = $1"
_STALE = "SELECT heartbeat_at < clock_timestamp() - make_interval(secs => $1) FROM outbox_relay"
_END_LEADER = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = $1 AND objsubid = 1 AND granted AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_log = structlog.get_logger(__name__)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Fenced(Exception):
    """Another relay has taken over."""


class Relay:
    """The relay of one service's outbox.

    Args:
        database: where the outbox is.
        transport: where the events go.
        batch: events placed and sent together, at most.
        poll: seconds between looks without being woken.
        lease: seconds without progress after which another may take over; above the transport's deadline.
        notify_channel: a channel to notify when events have been placed.
    """

    def __init__(
        self,
        database: Database,
        transport: Transport,
        *,
        batch: int = 500,
        poll: float = 1.0,
        lease: float = 15.0,
        notify_channel: str | None = None,
    ) -> None:
        self._database, self._transport = database, transport
        self._batch, self._poll, self._lease, self._notify_channel = batch, poll, lease, notify_channel
        self._size, self._step = batch, max(1, batch // 20)
        self._holder = f"{socket.gethostname()}/{os.getpid()}"
        self._woken = asyncio.Event()
        self.leading = False
        self.progressed_at = monotonic()

    def wake(self) -> None:
        """There are new events."""
        self._woken.set()

    async def run(self) -> None:
        """Stand by for the lead and lead, until cancelled. Survives the absence of database and transport."""
        while True:
            try:
                connection = await self._database.connect()
                try:
                    await self._stand_by(connection)
                    await self._lead(connection)
                finally:
                    self.leading = False
                    with suppress(*CONNECTION_ERRORS):
                        await connection.close(timeout=1)
            except Fenced:
                _log.warning("relay fenced: another leads")
            except CONNECTION_ERRORS as error:
                self._halve()
                _log.warning("relay without its database", reason=str(error))
                self.progressed_at = monotonic()
                await asyncio.sleep(jitter(self._poll))

    def _halve(self) -> None:
        """What does not get through at once may in parts: the deadlines count for a batch, however large it is."""
        self._size = max(1, self._size // 2)

    async def _stand_by(self, connection: Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if await connection.fetchval(_STALE, self._lease):
                _log.warning("relay shows no progress; taking over", lease=self._lease)
                await connection.fetch(_END_LEADER, LOCK)
            self.progressed_at = monotonic()
            await asyncio.sleep(jitter(min(self._poll, self._lease / 4)))

    async def _lead(self, connection: Connection) -> None:
        await connection.add_listener(CHANNEL, lambda *_: self.wake())
        epoch, assigned, sent = await connection.fetchrow(_TAKE, self._holder)
        log = _Log(connection, epoch, assigned, sent)
        self.leading = True
        _log.info("relay leads", epoch=epoch, assigned=assigned, sent=sent)
        batch: list[asyncpg.Record] = []
        failures = 0
        while True:
            self._woken.clear()
            batch = batch or await self._next(log)
            self.progressed_at = monotonic()
            if not batch:
                await log.heartbeat(self._lease / 5)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._woken.wait()
                continue
            try:
                batch = await self._forward(log, batch)
                failures, self._size = 0, min(self._size + self._step, self._batch)
            except TransportError as error:
                failures += 1
                _log.warning("transport did not take events", reason=str(error), events=len(batch), failures=failures)
                self._halve()
                batch = log.rewind()
                await log.heartbeat(0)
                # Not to be cut short by new events: each of them would be another try.
                await asyncio.sleep(jitter(min(0.1 * 2 ** min(failures, 8), self._lease / 5)))

    async def _next(self, log: "_Log") -> list[asyncpg.Record]:
        batch = await log.next(self._size)
        if batch:
            failpoint("relay.placed")
        if batch and self._notify_channel:
            await log.connection.execute("SELECT pg_notify($1, '')", self._notify_channel)
        return batch

    async def _forward(self, log: "_Log", batch: list[asyncpg.Record]) -> list[asyncpg.Record]:
        """Send a batch while the next one is placed; mark it when the transport has taken it; return the next one."""
        sending = asyncio.create_task(self._send(batch))
        try:
            ahead = await self._next(log) if len(batch) >= self._size else []
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        failpoint("relay.sent")
        await log.mark(batch[-1]["position"])
        failpoint("relay.marked")
        return ahead

    async def _send(self, batch: Sequence[asyncpg.Record]) -> None:
        for topic, rows in groupby(sorted(batch, key=_topic), key=_topic):  # a key is on one topic
            await self._transport.send(topic, [Stored(*tuple(row)[3:]).record() for row in rows])


def _topic(row: asyncpg.Record) -> str:
    return str(row["topic"])


class _Log:
    """The leader's hold on the log: what is placed, taken in hand and sent, under one epoch."""

    def __init__(self, connection: Connection, epoch: int, assigned: int, sent: int) -> None:
        self.connection = connection
        self._epoch, self._assigned, self._sent = epoch, assigned, sent
        self._taken = sent
        self._heartbeat_at = monotonic()
        self._seen: deque[tuple[float, int]] = deque()
        self._low = -1
        self._swept_at = monotonic()

    async def next(self, limit: int) -> list[asyncpg.Record]:
        """The next events in order of position: placed and unsent ones first, then newly placed ones."""
        if self._taken < self._assigned:
            rows: list[asyncpg.Record] = await self.connection.fetch(_UNSENT, self._taken, self._assigned, limit)
        else:
            rows = await self.connection.fetch(_PLACE, self._epoch, self._bound(), limit)
            self._note(rows)
        if rows:
            self._taken = rows[-1]["position"]
        return rows

    def rewind(self) -> list[asyncpg.Record]:
        """Begin again behind the last event that the transport has taken; nothing is in hand."""
        self._taken = self._sent
        return []

    async def mark(self, position: int) -> None:
        """Everything up to `position` has been taken by the transport."""
        if await self.connection.execute(_MARK, self._epoch, position) != "UPDATE 1":
            raise Fenced
        self._sent = position
        self._heartbeat_at = monotonic()

    async def heartbeat(self, every: float) -> None:
        """Show that the leader lives, at most once in `every` seconds."""
        if monotonic() - self._heartbeat_at >= every:
            await self.mark(self._sent)

    def _bound(self) -> int:
        """A `seq` below which nothing can still be committed, so that the scan need not look there.

        A transaction that took a lower number began before a higher one was seen, and PostgreSQL ends it after
        TRANSACTION_TIMEOUT. An unbounded look once a minute is the net.
        """
        now = monotonic()
        while self._seen and now - self._seen[0][0] > TRANSACTION_TIMEOUT + 5:
            self._low = self._seen.popleft()[1]
        if now - self._swept_at > 60:  # noqa: PLR2004
            self._swept_at = now
            return -1
        return self._low

    def _note(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            self._assigned = rows[-1]["position"]
            if not self._seen or monotonic() - self._seen[-1][0] > 1:
                self._seen.append((monotonic(), max(row["seq"] for row in rows)))
