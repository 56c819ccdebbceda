"""Reading the feed: the outbox in order of position, up to the newest assigned position."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from shared.db import ReadSession
from shared.events.envelope import Stored, structured

MAX_POSITIONS_PER_QUERY = 10_000
"""One statement scans at most so many positions, however rare the requested types are."""

_HEAD = text("SELECT assigned FROM outbox_relay")
_READ = text(
    "SELECT position, id, type, source, key, version, time, traceparent, data FROM outbox"
    " WHERE position > :after AND position <= :until"
    " AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[])))"
    " ORDER BY position LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An event of the feed, in structured mode."""

    position: int
    type: str
    event: bytes


@dataclass(frozen=True, slots=True)
class FeedSlice:
    """A part of the feed.

    Attributes:
        entries: those of the requested types, in order of position.
        next: every position up to this one has been read.
        head: the newest position.
    """

    entries: list[FeedEntry]
    next: int
    head: int


async def head(db: ReadSession) -> int:
    """The newest position, 0 before the first."""
    return int(await db.scalar(_HEAD) or 0)


async def read_page(db: ReadSession, after: int, limit: int, types: Sequence[str] | None) -> FeedSlice:
    """The first entries of these types (None: of all types) above a position, at most `limit`.

    Without entries, `next` is the newest position.
    """
    newest = await head(db)
    position = after
    entries: list[FeedEntry] = []
    while position < newest and not entries:
        until = min(newest, position + MAX_POSITIONS_PER_QUERY)
        values = {"after": position, "until": until, "limit": limit, "types": None if types is None else list(types)}
        rows = await db.execute(_READ, values)
        entries = [FeedEntry(row.position, row.type, structured(Stored(*row[1:]))) for row in rows]
        position = entries[-1].position if len(entries) == limit else until
    return FeedSlice(entries, position, newest)
