"""Dead letters: an operator lists, retries or discards them. They are never removed automatically."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.db import ReadSession, WriteSession
from shared.inbox.receive import unpack

_LIST = text(
    "SELECT consumer, event_id, topic, headers, attempts, error, received_at FROM inbox"
    " WHERE consumer = :consumer AND state = 'dead' ORDER BY seq LIMIT :limit"
)
_ANY = " WHERE consumer = :consumer AND state = 'dead' AND (:all OR event_id = ANY(CAST(:ids AS uuid[])))"
_RETRY = text("UPDATE inbox SET state = 'pending', attempts = 0, not_before = '-infinity'" + _ANY)  # noqa: S608  only constants are put in
_DISCARD = text("UPDATE inbox SET state = 'discarded', done_at = clock_timestamp()" + _ANY)  # noqa: S608  likewise


class DeadLetter(NamedTuple):
    """A dead letter. `type` is the unchecked text of its header."""

    consumer: str
    event_id: UUID
    topic: str
    type: str
    attempts: int
    reason: str
    received_at: datetime


async def dead_letters(session: ReadSession, consumer: str, *, limit: int = 100) -> list[DeadLetter]:
    """The oldest `limit` dead letters."""
    return [
        DeadLetter(
            row.consumer,
            row.event_id,
            row.topic,
            dict(unpack(row.headers)).get("ce_type", b"").decode(errors="replace"),
            row.attempts,
            row.error,
            row.received_at,
        )
        for row in await session.execute(_LIST, {"consumer": consumer, "limit": limit})
    ]


async def retry(tx: WriteSession, consumer: str, ids: Sequence[UUID] | None = None) -> int:
    """Set these dead letters (None: all) back to pending with 0 attempts; return their number."""
    return await _change(tx, _RETRY, consumer, ids)


async def discard(tx: WriteSession, consumer: str, ids: Sequence[UUID] | None = None) -> int:
    """Discard these dead letters (None: all) for good; return their number."""
    return await _change(tx, _DISCARD, consumer, ids)


async def _change(tx: WriteSession, statement: object, consumer: str, ids: Sequence[UUID] | None) -> int:
    parameters = {"consumer": consumer, "all": ids is None, "ids": list(ids or [])}
    result = await tx.execute(statement, parameters)  # type: ignore[call-overload]  # a text() of this module
    return int(result.rowcount)
