"""The relay assigns positions to committed events and sends them in order. One process per service is its leader.

The leader's connection holds an advisory lock; all its statements use that connection and name its epoch. A frozen
leader keeps the lock, so a standby ends the connection of a leader without a heartbeat for `lease` seconds. Records
that a frozen leader sends later repeat those of its successor, from the same position and in the same order: the first
deliveries stay in order, and inboxes ignore the repeats.
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

from shared.background import every
from shared.clock import jitter
from shared.db import CONNECTION_ERRORS, TRANSACTION_TIMEOUT, Database
from shared.events.envelope import Stored
from shared.failpoints import failpoint
from shared.outbox.wake import CHANNEL
from shared.transport import Transport, TransportError

LOCK = 0x4B6569
"""Number of the advisory lock that the leader holds."""

_COLUMNS = "o.seq, o.position, o.topic, o.id, o.type, o.source, o.key, o.version, o.time, o.traceparent, o.data"
_TAKE_LEAD = """
    UPDATE outbox_relay SET epoch = epoch + 1, holder = $1, heartbeat_at = clock_timestamp()
    RETURNING epoch, assigned, sent
"""
_ASSIGN_POSITIONS = f"""
    WITH mine AS (SELECT assigned FROM outbox_relay WHERE epoch = $1 FOR UPDATE),
    batch AS (SELECT id, seq FROM outbox WHERE position IS NULL AND seq > $2 ORDER BY seq LIMIT $3),
    numbered AS (SELECT id, mine.assigned + row_number() OVER (ORDER BY seq) AS new_position FROM batch, mine),
    taken AS (UPDATE outbox o SET position = n.new_position FROM numbered n WHERE o.id = n.id RETURNING {_COLUMNS}),
    counted AS (
        UPDATE outbox_relay SET assigned = assigned + (SELECT count(*) FROM taken), heartbeat_at = clock_timestamp()
        WHERE epoch = $1 AND EXISTS (SELECT FROM taken)
    )
    SELECT * FROM taken ORDER BY position
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
        database: of the outbox.
        transport: sends the events.
        batch: maximum number of events in one send.
        poll: seconds between two polls without a wake-up.
        lease: seconds without a heartbeat after which another process may take over; above the transport's deadline.
        notify_channel: PostgreSQL channel to notify when positions were assigned.
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
        self._max_batch_size, self._poll, self._lease, self._notify_channel = batch, poll, lease, notify_channel
        self._batch_size, self._size_step = batch, max(1, batch // 20)
        self._holder = f"{socket.gethostname()}/{os.getpid()}"
        self._wake_event = asyncio.Event()
        self.leading = False
        self.progressed_at = monotonic()

    def wake(self) -> None:
        """Poll at once: there are new events."""
        self._wake_event.set()

    async def run(self) -> None:
        """Stand by, then lead, until cancelled. Survives the absence of the database and of the transport."""
        await every(self._poll, self._lead_until_lost, job="relay")

    async def _lead_until_lost(self) -> float | None:
        """Returns: no pause after another leader took over, else the usual one."""
        try:
            await self._stand_by_and_lead()
        except Fenced:
            _log.warning("relay fenced by another leader")
        except CONNECTION_ERRORS as error:
            self._halve_batch_size()
            _log.warning("relay lost its database, retrying", reason=str(error))
            self.progressed_at = monotonic()
            return None
        return 0.0

    async def _stand_by_and_lead(self) -> None:
        connection = await self._database.connect()
        try:
            await self._stand_by(connection)
            await self._lead(connection)
        finally:
            self.leading = False
            with suppress(*CONNECTION_ERRORS):
                await connection.close(timeout=1)

    def _halve_batch_size(self) -> None:
        """Deadlines apply to a whole batch, so a smaller one may succeed."""
        self._batch_size = max(1, self._batch_size // 2)

    async def _stand_by(self, connection: Connection) -> None:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if await connection.fetchval(_STALE, self._lease):
                _log.warning("relay leader has no heartbeat, taking over", lease=self._lease)
                await connection.fetch(_END_LEADER, LOCK)
            self.progressed_at = monotonic()
            await asyncio.sleep(jitter(min(self._poll, self._lease / 4)))

    async def _lead(self, connection: Connection) -> None:
        await connection.add_listener(CHANNEL, lambda *_: self.wake())
        epoch, assigned, sent = await connection.fetchrow(_TAKE_LEAD, self._holder)
        log = _LeaderLog(connection, epoch, assigned, sent)
        self.leading = True
        _log.info("relay leads", epoch=epoch, assigned=assigned, sent=sent)
        batch: list[asyncpg.Record] = []
        failures = 0
        while True:
            self._wake_event.clear()
            batch = batch or await self._next_batch(log)
            self.progressed_at = monotonic()
            if not batch:
                await log.heartbeat(self._lease / 5)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._wake_event.wait()
                continue
            try:
                batch = await self._forward(log, batch)
                failures, self._batch_size = 0, min(self._batch_size + self._size_step, self._max_batch_size)
            except TransportError as error:
                failures += 1
                _log.warning("transport send failed, retrying", reason=str(error), events=len(batch), failures=failures)
                self._halve_batch_size()
                batch = log.rewind()
                await log.heartbeat(0)
                # New events do not end this pause, or each of them would cause another attempt.
                await asyncio.sleep(jitter(min(0.1 * 2 ** min(failures, 8), self._lease / 5)))

    async def _next_batch(self, log: "_LeaderLog") -> list[asyncpg.Record]:
        batch = await log.next(self._batch_size)
        if batch:
            failpoint("relay.assigned")
        if batch and self._notify_channel:
            await log.connection.execute("SELECT pg_notify($1, '')", self._notify_channel)
        return batch

    async def _forward(self, log: "_LeaderLog", batch: list[asyncpg.Record]) -> list[asyncpg.Record]:
        """Send a batch while the next one is read, mark it as sent, and return the next one."""
        sending = asyncio.create_task(self._send(batch))
        try:
            next_batch = await self._next_batch(log) if len(batch) >= self._batch_size else []
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        failpoint("relay.sent")
        await log.mark(batch[-1]["position"])
        failpoint("relay.marked")
        return next_batch

    async def _send(self, batch: Sequence[asyncpg.Record]) -> None:
        for topic, rows in groupby(sorted(batch, key=_topic), key=_topic):  # all events of a key are on one topic
            await self._transport.send(topic, [Stored(*tuple(row)[3:]).record() for row in rows])


def _topic(row: asyncpg.Record) -> str:
    return str(row["topic"])


class _LeaderLog:
    """The leader's view of the log in one epoch: up to which position it is assigned, read and sent."""

    def __init__(self, connection: Connection, epoch: int, assigned: int, sent: int) -> None:
        self.connection = connection
        self._epoch, self._assigned, self._sent = epoch, assigned, sent
        self._read_up_to = sent
        self._heartbeat_at = monotonic()
        self._observed: deque[tuple[float, int]] = deque()
        self._scan_bound = -1
        self._full_scan_at = monotonic()

    async def next(self, limit: int) -> list[asyncpg.Record]:
        """The next events in order of position: unsent events with a position first, then new ones."""
        if self._read_up_to < self._assigned:
            rows: list[asyncpg.Record] = await self.connection.fetch(_UNSENT, self._read_up_to, self._assigned, limit)
        else:
            rows = await self.connection.fetch(_ASSIGN_POSITIONS, self._epoch, self._next_scan_bound(), limit)
            self._record_assigned(rows)
        if rows:
            self._read_up_to = rows[-1]["position"]
        return rows

    def rewind(self) -> list[asyncpg.Record]:
        """Read again from the first unsent event; return an empty batch."""
        self._read_up_to = self._sent
        return []

    async def mark(self, position: int) -> None:
        """Record that all events up to `position` are sent.

        Raises:
            Fenced: another relay leads.
        """
        if await self.connection.execute(_MARK, self._epoch, position) != "UPDATE 1":
            raise Fenced
        self._sent = position
        self._heartbeat_at = monotonic()

    async def heartbeat(self, every: float) -> None:
        """Renew the heartbeat unless it is younger than `every` seconds."""
        if monotonic() - self._heartbeat_at >= every:
            await self.mark(self._sent)

    def _next_scan_bound(self) -> int:
        """A `seq` below which no event can still be committed, so that the scan starts there.

        A transaction with a lower number started before a higher one was observed, and PostgreSQL ends it after
        TRANSACTION_TIMEOUT. A scan without a bound once a minute catches exceptions.
        """
        now = monotonic()
        while self._observed and now - self._observed[0][0] > TRANSACTION_TIMEOUT + 5:
            self._scan_bound = self._observed.popleft()[1]
        if now - self._full_scan_at > 60:  # noqa: PLR2004
            self._full_scan_at = now
            return -1
        return self._scan_bound

    def _record_assigned(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            self._assigned = rows[-1]["position"]
            if not self._observed or monotonic() - self._observed[-1][0] > 1:
                self._observed.append((monotonic(), max(row["seq"] for row in rows)))
