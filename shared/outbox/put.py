"""Putting events into the outbox: one prepared INSERT on the caller's session, never a commit."""

from collections.abc import Sequence

from sqlalchemy import TextClause, text

from shared import clock
from shared.db import EVENTS_PUT, WriteSession
from shared.events.envelope import MAX_BYTES, Stored
from shared.events.registry import Data, type_of
from shared.telemetry import traceparent

_VALUES = (
    "INSERT INTO outbox (id, topic, type, source, key, version, time, traceparent, data)"
    " VALUES (:id, :topic, :type, :source, :key, :version, :time, :traceparent, :data)"
)
_PUT = text(_VALUES)
_FORWARD = text(_VALUES + " ON CONFLICT (id) DO NOTHING")


async def put(tx: WriteSession, data: Data, *, version: int) -> Stored:
    """Publish `data` as version `version` of its aggregate, if and when `tx` commits.

    The caller holds a lock on the aggregate's row, so that versions are put in order.

    Raises:
        ValueError: the data is over 64 kB.
    """
    entry = type_of(type(data))
    stored = Stored(
        id=clock.new_id(),
        type=entry.name,
        source=f"/kei/{entry.service}",
        key=getattr(data, entry.key),
        version=version,
        time=clock.now(),
        traceparent=traceparent(),
        data=data.model_dump_json().encode(),
    )
    if len(stored.data) > MAX_BYTES:
        message = f"{entry.name} of {len(stored.data)} bytes is over the limit of {MAX_BYTES}"
        raise ValueError(message)
    await _insert(tx, _PUT, [stored], entry.topic)
    return stored


async def forward(tx: WriteSession, events: Sequence[Stored], topic: str) -> None:
    """Put events that exist already into this outbox, unchanged, to be sent on `topic`.

    One that is here is passed over: it comes again when the inbox has forgotten it and the wire repeats it.
    """
    await _insert(tx, _FORWARD, events, topic)


async def _insert(tx: WriteSession, statement: TextClause, events: Sequence[Stored], topic: str) -> None:
    rows = [
        {
            "id": event.id,
            "topic": topic,
            "type": event.type,
            "source": event.source,
            "key": event.key,
            "version": event.version,
            "time": event.time,
            "traceparent": event.traceparent,
            "data": event.data,
        }
        for event in events
    ]
    await tx.execute(statement, rows)
    tx.info[EVENTS_PUT] = True
