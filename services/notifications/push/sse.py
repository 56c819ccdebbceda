"""The feed as server-sent events: one LISTEN connection per process, one encoded frame per event for all readers.

A stream holds nothing but its position. It takes recent frames from the hub's memory, and older events from the
database. So a slow reader costs no memory, and a reader that reconnects gets exactly the events after its position.
"""

import asyncio
import resource
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from time import monotonic
from typing import NamedTuple

import structlog

from services.notifications.queries import feed
from shared.background import RETRYABLE_ERRORS, every
from shared.db import Database, listen
from shared.errors import KeiError
from shared.web import Drain, ProblemError

CHANNEL = "feed"
HEARTBEAT_SECONDS = 15.0
"""Interval of the heartbeats of a stream; before each the reader's permission is checked again."""
MAX_RECENT_FRAMES = 500
BATCH_SIZE = 100
"""Maximum number of events in one query."""
MIN_CHUNK_BYTES = 256 * 1024
"""A chunk ends with the frame that reaches this size; the next one waits until the reader has taken it."""
POLL_SECONDS = 2.0
"""Interval of reading the feed without a notification."""
RESERVED_FILES = 200
"""Open files that long-lived readers must leave for the database, probes and other requests."""

_RETRY = b"retry: 2000\n\n"
_HEARTBEAT = b":\n\n"
_FAREWELL = b":the server restarts; reconnect with Last-Event-ID\nretry: 1000\n\n"
_log = structlog.get_logger(__name__)


class Frame(NamedTuple):
    """An event in the format of server-sent events."""

    position: int
    type: str
    text: bytes


def encode_frame(entry: feed.FeedEntry) -> Frame:
    """The frame of an entry. Line breaks are removed: in JSON they are only white space between tokens."""
    data = entry.event.translate(None, b"\r\n")
    return Frame(
        entry.position, entry.type, b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.position, entry.type.encode(), data)
    )


def _join(frames: Sequence[Frame], types: frozenset[str] | None, until: int) -> tuple[bytes, int]:
    """The texts of the frames of these types, and the position that they reach: `until`, unless the chunk is full."""
    texts, size = [], 0
    for frame in frames:
        if types is None or frame.type in types:
            texts.append(frame.text)
            size += len(frame.text)
            if size >= MIN_CHUNK_BYTES:
                return b"".join(texts), frame.position
    return b"".join(texts), until


def max_readers() -> int:
    """Maximum number of long-lived readers: without a free file the process could not answer health checks."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(files - RESERVED_FILES, files // 2)


class Hub:
    """Follows the feed for all streams and long polls of a process; `head` is the newest position that it has read."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._recent: deque[Frame] = deque(maxlen=MAX_RECENT_FRAMES)
        self._news = asyncio.Event()
        self._started = False
        self.head = 0
        self.closed = False
        self._readers = 0

    async def run(self, database: Database) -> None:
        """Follow the feed until cancelled; end all streams when the process drains."""
        wake = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(listen(database, CHANNEL, wake.set))
                group.create_task(self._follow(database, wake))
                group.create_task(self._close_on_drain())
        finally:
            self._close()

    @contextmanager
    def reader_slot(self) -> Iterator[None]:
        """Count a long-lived reader.

        Raises:
            ProblemError: there are `max_readers()` already; status 503.
        """
        if self._readers >= max_readers():
            message = "All places for readers of the feed are taken. Try again in a moment."
            raise ProblemError(503, "unavailable", message, headers={"Retry-After": "5"})
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def wait_for_news(self, position: int, timeout: float) -> None:
        """Wait for an event above `position`, for the end of the hub, or for `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.head <= position and not self.closed:
                    await self._news.wait()

    async def stream(
        self, database: Database, after: int, types: Sequence[str] | None, authorize: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[bytes]:
        """The feed above position `after` as server-sent events.

        Args:
            database: of the feed.
            after: the last position that the reader has.
            types: types of events to send; None for all.
            authorize: called before each heartbeat; raises if the reader may not read any more.
        """
        yield _RETRY
        selected = None if types is None else frozenset(types)
        position, heartbeat_due = after, monotonic() + HEARTBEAT_SECONDS
        try:
            while not self.closed:
                chunk, position = await self._next_chunk(database, position, selected)
                if chunk:
                    yield chunk
                elif position >= self.head:
                    await self.wait_for_news(position, heartbeat_due - monotonic())
                if monotonic() >= heartbeat_due:
                    await authorize()
                    yield _HEARTBEAT
                    heartbeat_due = monotonic() + HEARTBEAT_SECONDS
        except (KeiError, *RETRYABLE_ERRORS) as error:
            _log.info("stream ended", reason=str(error))  # a reader that may read reconnects with Last-Event-ID
            return
        yield _FAREWELL

    async def _next_chunk(self, database: Database, position: int, types: frozenset[str] | None) -> tuple[bytes, int]:
        """Some frames above a position, and the position that they reach."""
        recent = self._recent_after(position)
        if recent is not None:
            return _join(recent, types, max(position, self.head))
        async with database.reading() as db:
            page = await feed.read_page(db, position, BATCH_SIZE, None if types is None else sorted(types))
        return _join([encode_frame(entry) for entry in page.entries], types, page.next)

    def _recent_after(self, position: int) -> list[Frame] | None:
        """The frames above a position; None if not all of them are in memory."""
        missing = self.head - position
        if missing <= 0:
            return []
        if missing > len(self._recent):
            return None
        return list(islice(self._recent, len(self._recent) - missing, None))

    async def _follow(self, database: Database, wake: asyncio.Event) -> None:
        work = partial(self._catch_up, database)
        await every(POLL_SECONDS, work, job="feed reading", wake=wake)

    async def _catch_up(self, database: Database) -> None:
        async with database.reading() as db:
            if not self._started:
                self._add([], await feed.head(db))
                self._started = True
            while (page := await feed.read_page(db, self.head, BATCH_SIZE, None)).next > self.head:
                self._add(page.entries, page.next)

    def _add(self, entries: Sequence[feed.FeedEntry], head: int) -> None:
        if len(entries) != head - self.head:  # a gap where old partitions were dropped
            self._recent.clear()
        else:
            self._recent.extend(encode_frame(entry) for entry in entries)
        self.head = head
        self._notify_readers()

    async def _close_on_drain(self) -> None:
        await self._drain.wait()
        self._close()

    def _close(self) -> None:
        self.closed = True
        self._notify_readers()

    def _notify_readers(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
