"""The outbox as a log: read it by position, replay it over a transport, and say how far the relay is behind."""

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

_FIGURES = text(
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
    """An event of the log with its position and the topic it goes to."""

    position: int
    topic: str
    event: Stored


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """How far the relay is. Ages are in seconds; `heartbeat_age` is the time since the relay last showed progress."""

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
    """The event of that id, if it is in the log and has its position."""
    row = (await session.execute(_FIND, {"id": id})).one_or_none()
    return None if row is None else LogEntry(row.position, row.topic, Stored(*row[2:]))


async def oldest(session: ReadSession) -> UUID | None:
    """The smallest id in the log, hence the one made first; None if nothing is there."""
    found: UUID | None = await session.scalar(_OLDEST)
    return found


def item(placed: LogEntry) -> bytes:
    """An event of the log as JSON: `{"position": …, "event": {…}}`, by joining bytes."""
    return b'{"position":%d,"event":%b}' % (placed.position, structured(placed.event))


def page(placed: Sequence[LogEntry], after: int) -> bytes:
    """A page of the log as JSON: `{"items": […], "next": …}`.

    `next` is the position to go on after.
    """
    items = b",".join(map(item, placed))
    return b'{"items":[%b],"next":%d}' % (items, placed[-1].position if placed else after)


async def replay(database: Database, transport: Transport, *, after: int = 0, batch: int = 500) -> int:
    """Send every event above position `after` again, in order. Consumers that know an event ignore it.

    Returns:
        How many were sent.
    """
    count = 0
    while True:
        async with database.reading() as session:
            sent = (await stats(session)).sent
            placed = [one for one in await read(session, after=after, limit=batch) if one.position <= sent]
        if not placed:
            return count
        for topic in {one.topic for one in placed}:
            await transport.send(topic, [one.event.record() for one in placed if one.topic == topic])
        count += len(placed)
        after = placed[-1].position


async def stats(session: ReadSession) -> OutboxStats:
    """How far the relay is, by one statement."""
    return OutboxStats(*(await session.execute(_FIGURES)).one())
