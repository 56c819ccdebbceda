"""The feed as it happens: one LISTEN connection per process, one encoded frame for all who listen.

A stream holds nothing but its position. It takes what is new from the hub's memory, and what is older from the
database; so a slow reader costs no memory, and one that comes back gets exactly the rest.
"""

import asyncio
import resource
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from time import monotonic
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.notifications.queries import feed
from shared.clock import jitter
from shared.db import Database, listen
from shared.errors import KeiError
from shared.web import Drain, ProblemError

CHANNEL = "feed"
HEARTBEAT = 15.0
"""Seconds between two signs of life, and between two looks at whether the reader may still read."""
REMEMBERED = 500
BATCH = 100
CHUNK = 256 * 1024
"""Bytes after which the server waits for a reader to take them."""
POLL = 2.0
RESERVED = 200
"""Open files kept for everything but readers who stay: the database, probes, other requests."""

_RETRY = b"retry: 2000\n\n"
_HEART = b":\n\n"
_FAREWELL = b":the server restarts; come back with Last-Event-ID\nretry: 1000\n\n"
_log = structlog.get_logger(__name__)


class Frame(NamedTuple):
    """An event as server-sent events carry it."""

    position: int
    type: str
    text: bytes


def frame(entry: feed.Entry) -> Frame:
    """The entry's frame. A line break can only be white space between the parts of its JSON."""
    data = entry.event.translate(None, b"\r\n")
    return Frame(
        entry.position, entry.type, b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.position, entry.type.encode(), data)
    )


def _joined(frames: Sequence[Frame], types: frozenset[str] | None, until: int) -> tuple[bytes, int]:
    """The texts of some frames, and the position that they reach: `until`, if they do not grow too large before it."""
    texts, size = [], 0
    for one in frames:
        if types is None or one.type in types:
            texts.append(one.text)
            size += len(one.text)
            if size >= CHUNK:
                return b"".join(texts), one.position
    return b"".join(texts), until


def room() -> int:
    """How many readers may stay at once: without a file left, the process could not even say that it lives."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(files - RESERVED, files // 2)


class Hub:
    """Follows the feed for all streams and long polls of a process; `head` is the newest position it has seen."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._recent: deque[Frame] = deque(maxlen=REMEMBERED)
        self._news = asyncio.Event()
        self._begun = False
        self.head = 0
        self.ended = False
        self._readers = 0

    async def run(self, database: Database) -> None:
        """Follow the feed until cancelled; let all streams end when the process is about to."""
        heard = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(listen(database, CHANNEL, heard.set))
                group.create_task(self._follow(database, heard))
                group.create_task(self._end_with_drain())
        finally:
            self._end()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a reader who stays.

        Raises:
            Refusal: all are taken; 503.
        """
        if self._readers >= room():
            message = "As many readers as there is room for are here. Come back in a moment."
            raise ProblemError(503, "unavailable", message, headers={"Retry-After": "5"})
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def moved(self, beyond: int, seconds: float) -> None:
        """Return when there is something above position `beyond`, when the hub ends, or after some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.head <= beyond and not self.ended:
                    await self._news.wait()

    async def stream(
        self, database: Database, after: int, types: Sequence[str] | None, admit: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[bytes]:
        """The feed above position `after` as server-sent events.

        Args:
            database: of the feed.
            after: the last position the reader has.
            types: which ones to show; None for all.
            admit: asked at each heartbeat; raises when the reader may not read any more.
        """
        yield _RETRY
        wanted = None if types is None else frozenset(types)
        position, due = after, monotonic() + HEARTBEAT
        try:
            while not self.ended:
                chunk, position = await self._chunk(database, position, wanted)
                if chunk:
                    yield chunk
                elif position >= self.head:
                    await self.moved(position, due - monotonic())
                if monotonic() >= due:
                    await admit()
                    yield _HEART
                    due = monotonic() + HEARTBEAT
        except (KeiError, SQLAlchemyError, OSError, TimeoutError) as error:
            _log.info("stream ended", reason=str(error))  # whoever may go on comes back with Last-Event-ID
            return
        yield _FAREWELL

    async def _chunk(self, database: Database, position: int, types: frozenset[str] | None) -> tuple[bytes, int]:
        """Some frames above a position, and the position up to which was looked."""
        new = self._since(position)
        if new is not None:
            return _joined(new, types, max(position, self.head))
        async with database.reading() as db:
            found = await feed.look(db, position, BATCH, None if types is None else sorted(types))
        return _joined([frame(entry) for entry in found.entries], types, found.next)

    def _since(self, position: int) -> list[Frame] | None:
        """The frames above a position; None if not all of them are remembered."""
        missing = self.head - position
        if missing <= 0:
            return []
        if missing > len(self._recent):
            return None
        return list(islice(self._recent, len(self._recent) - missing, None))

    async def _follow(self, database: Database, heard: asyncio.Event) -> None:
        while True:
            heard.clear()
            try:
                await self._catch_up(database)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("feed without its database", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(jitter(POLL)):
                    await heard.wait()

    async def _catch_up(self, database: Database) -> None:
        async with database.reading() as db:
            if not self._begun:
                self._tell([], await feed.head(db))
                self._begun = True
            while (found := await feed.look(db, self.head, BATCH, None)).next > self.head:
                self._tell(found.entries, found.next)

    def _tell(self, entries: Sequence[feed.Entry], head: int) -> None:
        if len(entries) != head - self.head:  # a hole, as dropped partitions leave it
            self._recent.clear()
        else:
            self._recent.extend(frame(entry) for entry in entries)
        self.head = head
        self._wake()

    async def _end_with_drain(self) -> None:
        await self._drain.wait()
        self._end()

    def _end(self) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
