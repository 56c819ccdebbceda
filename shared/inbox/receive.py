"""Writes received records into the inbox with one statement. Nothing is decoded, so no content can make it fail."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import text

from shared.db import Database, ReadSession, WriteSession
from shared.events.envelope import Record
from shared.failpoints import failpoint
from shared.inbox.consumer import Consumer
from shared.outbox.schema import first_id

_INSERT = text(
    """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    SELECT :consumer, r.event_id, r.partition_key, r.topic, r.key, r.headers, r.value
    FROM unnest(CAST(:ids AS uuid[]), CAST(:partition_keys AS uuid[]), CAST(:topics AS text[]), CAST(:keys AS bytea[]),
                CAST(:headers AS bytea[]), CAST(:bodies AS bytea[]))
        WITH ORDINALITY AS r (event_id, partition_key, topic, key, headers, value, place)
    ORDER BY r.place
    ON CONFLICT DO NOTHING
    """
)
# Each branch uses its own partial index, so the done rows, nearly the whole table, are not read.
_PENDING_STATS = text(
    """
    SELECT topic, count(*) FILTER (WHERE NOT dead) AS pending, count(*) FILTER (WHERE dead) AS dead,
           coalesce(extract(epoch FROM clock_timestamp() - min(received_at) FILTER (WHERE NOT dead)), 0)::float8
               AS oldest_age
    FROM (SELECT topic, received_at, false AS dead FROM inbox WHERE consumer = :consumer AND state = 'pending'
          UNION ALL
          SELECT topic, received_at, true AS dead FROM inbox WHERE consumer = :consumer AND state = 'dead') AS waiting
    GROUP BY topic
    """
)
_DONE_STATS = text(
    "SELECT topic, count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'discarded') AS"
    " discarded FROM inbox WHERE consumer = :consumer AND state IN ('done', 'discarded') GROUP BY topic"
)
# Reads the primary key backwards. The bound excludes ids that are hashes of a record's content, not UUIDv7.
_NEWEST_HANDLED = text(
    """
    SELECT topic, event_id, received_at FROM (
        SELECT topic, event_id, received_at, row_number() OVER (PARTITION BY topic ORDER BY event_id DESC) AS rank
        FROM (SELECT topic, event_id, received_at, state FROM inbox
              WHERE consumer = :consumer AND event_id < :bound ORDER BY event_id DESC LIMIT :window) AS looked_at
        WHERE state = 'done') AS ranked
    WHERE rank = ANY(CAST(:ranks AS bigint[])) ORDER BY topic, rank
    """
)
_RANKS = (1, 10, 100)
_WINDOW = 5000
# Ids are UUIDv7 and an event is done after it happened, so a range of the primary key covers the period.
_PURGE = text(
    """
    DELETE FROM inbox WHERE consumer = :consumer AND event_id = ANY (ARRAY(
        SELECT event_id FROM inbox
        WHERE consumer = :consumer AND event_id < :bound AND state IN ('done', 'discarded') AND done_at < :before
        ORDER BY event_id LIMIT :limit))
    """
)

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
"""Takes half the time of `json.dumps`; called for every record."""

_received = Counter("kei_inbox_received_records", "Number of records received, duplicates included", ["consumer"])
_repeated = Counter(
    "kei_inbox_duplicate_records", "Number of records received that had been received before", ["consumer"]
)


def _uuid_of(text_bytes: bytes | None) -> UUID | None:
    try:
        return UUID((text_bytes or b"").decode("ascii"))
    except ValueError:
        return None


def _digest(*parts: bytes) -> UUID:
    return UUID(bytes=hashlib.sha256(b"\0".join(parts)).digest()[:16])


def event_id_of(topic: str, record: Record) -> UUID:
    """The id in the record's headers; if unreadable, a hash of the content, so that repeats are still recognised."""
    header_id = _uuid_of(dict(record.headers).get("ce_id"))
    return header_id or _digest(topic.encode(), record.key or b"", pack(record.headers), record.value or b"")


def pack(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Headers as bytes for a column; `unpack` restores them exactly."""
    return _encode([(name, (value or b"").decode("latin-1")) for name, value in headers]).encode()


def unpack(packed: bytes) -> tuple[tuple[str, bytes], ...]:
    """The headers that `pack` packed."""
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(packed))


class Inbox:
    """The inbox of one consumer, as the receiver of a transport."""

    def __init__(self, database: Database, consumer: Consumer) -> None:
        self._database = database
        self.consumer = consumer.name
        self.topics = consumer.topics
        self.arrived = asyncio.Event()

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        """Insert the (topic, record) pairs, ignoring known events. Committed when it returns."""
        async with self._database.transaction() as tx:
            result = await tx.execute(
                _INSERT,
                {
                    "consumer": self.consumer,
                    "ids": [event_id_of(topic, record) for topic, record in records],
                    "partition_keys": [_uuid_of(record.key) or _digest(record.key or b"") for _, record in records],
                    "topics": [topic for topic, _ in records],
                    "keys": [record.key for _, record in records],
                    "headers": [pack(record.headers) for _, record in records],
                    "bodies": [record.value for _, record in records],
                },
            )
            failpoint("inbox.inserted")
        failpoint("inbox.committed")
        inserted: int = result.rowcount  # type: ignore[attr-defined]  # an INSERT's result has it
        _received.labels(self.consumer).inc(len(records))
        _repeated.labels(self.consumer).inc(len(records) - inserted)
        self.arrived.set()


class PendingStats(NamedTuple):
    """Number of unfinished events of a topic; `oldest_age` is the age of the oldest pending one in seconds."""

    topic: str
    pending: int
    dead: int
    oldest_age: float


class DoneStats(NamedTuple):
    """Number of finished events of a topic."""

    topic: str
    done: int
    discarded: int


async def pending_stats(session: ReadSession, consumer: Consumer) -> list[PendingStats]:
    """Statistics of unfinished events for every topic of the consumer. Reads the unfinished rows only."""
    by_topic = {
        row.topic: PendingStats(*row) for row in await session.execute(_PENDING_STATS, {"consumer": consumer.name})
    }
    return [by_topic.get(topic, PendingStats(topic, 0, 0, 0.0)) for topic in sorted(consumer.topics | by_topic.keys())]


async def done_stats(session: ReadSession, consumer: Consumer) -> list[DoneStats]:
    """Statistics of finished events by topic. Reads the whole inbox, so do not call it at every scrape."""
    by_topic = {row.topic: DoneStats(*row) for row in await session.execute(_DONE_STATS, {"consumer": consumer.name})}
    return [by_topic.get(topic, DoneStats(topic, 0, 0)) for topic in sorted(consumer.topics | by_topic.keys())]


class HandledEvent(NamedTuple):
    """An event that was handled, and the time of its receipt."""

    topic: str
    event_id: UUID
    received_at: datetime


async def newest_handled(session: ReadSession, consumer: Consumer, now: datetime) -> list[HandledEvent]:
    """The newest, the tenth newest and the hundredth newest handled event of each topic, by id.

    Considers only the 5,000 newest events of all topics, so the cost does not grow with the inbox.
    """
    bound = first_id(now + timedelta(days=1))
    parameters = {"consumer": consumer.name, "bound": bound, "window": _WINDOW, "ranks": list(_RANKS)}
    return [HandledEvent(*row) for row in await session.execute(_NEWEST_HANDLED, parameters)]


async def purge(tx: WriteSession, consumer: str, before: datetime, *, limit: int = 5000) -> int:
    """Delete up to `limit` events that were done before `before`; return their number.

    The retention has to exceed that of all topics and the reach of any replay, or repeats are handled again.
    """
    parameters = {"consumer": consumer, "before": before, "bound": first_id(before), "limit": limit}
    return int((await tx.execute(_PURGE, parameters)).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
