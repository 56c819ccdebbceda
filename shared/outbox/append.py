"""Appends events to the outbox: one INSERT at the end of the transaction for all its events."""

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import TextClause, text

from shared import clock
from shared.db import EVENTS_APPENDED, WriteSession
from shared.events.envelope import MAX_BYTES, Stored
from shared.events.registry import Data, type_of
from shared.telemetry import traceparent

_INSERT = """
    INSERT INTO outbox (id, topic, type, source, key, version, time, traceparent, data)
    SELECT id, topic, type, source, key, version, time, traceparent, data
    FROM unnest(CAST(:id AS uuid[]), CAST(:topic AS text[]), CAST(:type AS text[]), CAST(:source AS text[]),
                CAST(:key AS uuid[]), CAST(:version AS bigint[]), CAST(:time AS timestamptz[]),
                CAST(:traceparent AS text[]), CAST(:data AS bytea[]))
        WITH ORDINALITY AS r (id, topic, type, source, key, version, time, traceparent, data, place)
    ORDER BY place
"""
_COLUMNS = tuple(field.name for field in fields(Stored))
_APPEND = text(_INSERT)
_FORWARD = text(_INSERT + " ON CONFLICT (id) DO NOTHING")


def append(tx: WriteSession, data: Data, *, version: int) -> Stored:
    """Publish `data` as version `version` of its aggregate, if and when `tx` commits.

    The caller holds a lock on the aggregate's row, so that versions are appended in order.

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
    tx.defer(_append_all, (entry.topic, stored))
    return stored


async def forward(tx: WriteSession, events: Sequence[Stored], topic: str) -> None:
    """Append events of other services unchanged, to be sent on `topic`.

    An event that is in this outbox already is ignored: the transport may repeat it after the inbox has purged it.
    """
    await _insert(tx, _FORWARD, [(topic, event) for event in events])


async def _append_all(tx: WriteSession, events: Sequence[tuple[str, Stored]]) -> None:
    await _insert(tx, _APPEND, events)


async def _insert(tx: WriteSession, statement: TextClause, events: Sequence[tuple[str, Stored]]) -> None:
    columns = {name: [getattr(event, name) for _, event in events] for name in _COLUMNS}
    await tx.execute(statement, {"topic": [topic for topic, _ in events], **columns})
    tx.info[EVENTS_APPENDED] = True
