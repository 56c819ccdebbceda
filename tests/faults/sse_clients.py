"""Readers of the feed as server-sent events, many in one process; each records the events that it has received."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from shared.auth import Role
from shared.clock import jitter
from tests.faults.checks import Event, Findings, examine, total
from tests.faults.http_clients import Log
from tests.support import factories
from tests.support.waiting import passing

_LINE = 256 * 1024
_RETRY = 0.5


class Listener:
    """A client that reconnects after each interruption with its last position.

    Args:
        where: returns the base URL for each connection.
        types: event types to subscribe to; by default all.
    """

    def __init__(self, where: Callable[[], str], *types: str) -> None:
        self._where, self._types = where, types
        self._headers = factories.signed_in(Role.operator)
        self._writer: StreamWriter | None = None
        self.position = 0
        self.seen: list[Event] = []
        self.connects = 0
        self.refused = 0
        """Responses other than a stream, and refused connections."""
        self.broken = 0
        """Streams that were cut instead of ended."""

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            wait = _RETRY
            try:
                wait = await self.listen()
            except ConnectionRefusedError:
                self.refused += 1
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                self.leave()
            await passing(jitter(wait))

    async def listen(self) -> float:
        """Read a stream to its end; return the seconds after which the server asks to reconnect."""
        reader = await self._connect()
        wait = 2.0
        lines: list[bytes] = []
        async for line in _lines(reader):
            if line:
                lines.append(line)
                continue
            fields = dict(line.split(b": ", 1) for line in lines if not line.startswith(b":"))
            wait = int(fields.get(b"retry", wait * 1000)) / 1000
            if b"id" in fields:
                self._record(int(fields[b"id"]), json.loads(fields[b"data"]))
            lines = []
        return wait

    def leave(self) -> None:
        """Break the connection."""
        if self._writer is not None:
            self._writer.transport.abort()

    def _record(self, position: int, event: dict[str, str]) -> None:
        self.position = position
        self.seen.append(Event(UUID(event["id"]), UUID(event["partitionkey"]), int(event["sequence"])))

    async def _connect(self) -> StreamReader:
        url = urlsplit(self._where())
        reader, self._writer = await asyncio.open_connection(url.hostname, url.port, limit=_LINE)
        self._writer.write(request(url.path, self._headers | {"Last-Event-ID": str(self.position)}, self._types))
        status = await reader.readuntil(b"\r\n")
        if status.split()[1] != b"200":
            raise ConnectionRefusedError(status)
        await reader.readuntil(b"\r\n\r\n")
        self.connects += 1
        return reader


@asynccontextmanager
async def listening(listeners: Iterable[Listener]) -> AsyncIterator[None]:
    """Run the listeners until the block ends."""
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        with suppress(asyncio.CancelledError):
            task.result()


def findings_of(listeners: Iterable[Listener], feed: Log) -> Findings:
    """The findings of all listeners together."""
    acked = [event.id for event in feed.events]
    return total(examine(acked, feed.events, listener.seen, feed.positions) for listener in listeners)


def request(path: str, headers: dict[str, str], types: tuple[str, ...] = ()) -> bytes:
    """The head of a request for the stream."""
    query = urlencode([("types", type_) for type_ in types])
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "kei", **headers}.items())
    return f"GET {path}/feed/stream?{query} HTTP/1.1\r\n{fields}\r\n".encode()


async def _lines(reader: StreamReader) -> AsyncIterator[bytes]:
    """The lines of a chunked body, without line ends; raises if the body was cut."""
    rest = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        rest += (await reader.readexactly(size + 2))[:-2]
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line
