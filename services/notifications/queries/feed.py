"""Reading the feed: the outbox in order of position, up to the newest position that was given."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from shared.db import ReadSession
from shared.events.envelope import Stored, structured

WINDOW = 10_000
"""Positions one statement looks at, however rare the types that are asked for."""

_HEAD = text("SELECT assigned FROM outbox_relay")
_READ = text(
    "SELECT position, id, type, source, key, version, time, traceparent, data FROM outbox"
    " WHERE position > :after AND position <= :until"
    " AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[])))"
    " ORDER BY position LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the feed, in structured mode."""

    position: int
    type: str
    event: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, the position up to which was looked, and the newest one there was."""

    entries: list[Entry]
    next: int
    head: int


async def head(db: ReadSession) -> int:
    """The newest position, 0 before the first."""
    return int(await db.scalar(_HEAD) or 0)


async def look(db: ReadSession, after: int, limit: int, types: Sequence[str] | None) -> Found:
    """The first entries of these types (all, if None) above a position, at most `limit`.

    Without entries `next` is the newest position: everything before it was looked at.
    """
    newest = await head(db)
    position = after
    entries: list[Entry] = []
    while position < newest and not entries:
        until = min(newest, position + WINDOW)
        wanted = {"after": position, "until": until, "limit": limit, "types": None if types is None else list(types)}
        rows = await db.execute(_READ, wanted)
        entries = [Entry(row.position, row.type, structured(Stored(*row[1:]))) for row in rows]
        position = entries[-1].position if len(entries) == limit else until
    return Found(entries, position, newest)
