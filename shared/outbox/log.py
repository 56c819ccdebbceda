"""Reads the outbox by position, replays it over a transport, and reports the progress of the relay."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from shared.db import Database, ReadSession
from shared.events.envelope import Stored, structured
from shared.transport import Transport

CONTENT_TYPE = "application/json"

_READ = text(
    "SELECT position, topic, id, type, source, key, version, time, traceparent, data FROM outbox"
    " WHERE position > :after AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[])))"
    " ORDER BY position LIMIT :limit"
)

_FIND = text(
    "SELECT position, topic, id, type, source, key, version, time, traceparent, data FROM outbox"
    " WHERE id = :id AND position IS NOT NULL"
)
_OLDEST = text("SELECT id FROM outbox ORDER BY id LIMIT 1")

_STATS = text(
    """
    SELECT r.assigned, r.sent, r.epoch, r.holder,
           extract(epoch FROM clock_timestamp() - r.heartbeat_at)::float8 AS heartbeat_age,
           (SELECT count(*) FROM outbox WHERE position IS NULL) + r.assigned - r.sent AS unsent,
           coalesce(extract(epoch FROM clock_timestamp() - least(
               (SELECT min(time) FROM outbox WHERE position IS NULL),
               (SELECT time FROM outbox WHERE position = r.sent + 1))), 0)::float8 AS oldest_unsent_age
    FROM outbox_relay r
    """
)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event of the log with its position and its topic."""

    position: int
    topic: str
    event: Stored


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """Progress of the relay.

    `assigned` and `sent` are positions, `unsent` is a number of events, ages are in seconds.
    """

    assigned: int
    sent: int
    epoch: int
    holder: str
    heartbeat_age: float
    unsent: int
    oldest_unsent_age: float


async def read(
    session: ReadSession, *, after: int = 0, limit: int = 1000, types: Sequence[str] | None = None
) -> list[LogEntry]:
    """Up to `limit` events with a position above `after`, in order of position."""
    parameters = {"after": after, "limit": limit, "types": None if types is None else list(types)}
    return [LogEntry(row.position, row.topic, Stored(*row[2:])) for row in await session.execute(_READ, parameters)]


async def find(session: ReadSession, id: UUID) -> LogEntry | None:
    """The event with this id, if it is in the log and has a position."""
    row = (await session.execute(_FIND, {"id": id})).one_or_none()
    return None if row is None else LogEntry(row.position, row.topic, Stored(*row[2:]))


async def oldest(session: ReadSession) -> UUID | None:
    """The smallest id in the log, hence the oldest event; None if the log is empty."""
    id_: UUID | None = await session.scalar(_OLDEST)
    return id_


def item(entries: LogEntry) -> bytes:
    """An entry as JSON, joined from bytes: `{"position": …, "event": {…}}`."""
    return b'{"position":%d,"event":%b}' % (entries.position, structured(entries.event))


def page(entries: Sequence[LogEntry], after: int) -> bytes:
    """A page of the log as JSON: `{"items": […], "next": …}`.

    `next` is the `after` of the following page.
    """
    items = b",".join(map(item, entries))
    return b'{"items":[%b],"next":%d}' % (items, entries[-1].position if entries else after)


async def replay(database: Database, transport: Transport, *, after: int = 0, batch: int = 500) -> int:
    """Send all events above position `after` again, in order; return their number. Consumers ignore known events."""
    count = 0
    while True:
        async with database.reading() as session:
            sent = (await stats(session)).sent
            entries = [entry for entry in await read(session, after=after, limit=batch) if entry.position <= sent]
        if not entries:
            return count
        for topic in {entry.topic for entry in entries}:
            await transport.send(topic, [entry.event.record() for entry in entries if entry.topic == topic])
        count += len(entries)
        after = entries[-1].position


async def stats(session: ReadSession) -> OutboxStats:
    """Progress of the relay, read with one statement."""
    return OutboxStats(*(await session.execute(_STATS)).one())
