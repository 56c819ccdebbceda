"""A TCP proxy on loopback that simulates a bad network: slow, narrow, one-way, silent, or cut."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.support.waiting import passing

_CHUNK = 16 * 1024
Connect = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]


@dataclass
class Network:
    """The state of the network; it may change at any time.

    Args:
        latency: delay in seconds of each piece, in each direction.
        bandwidth: bytes per second in each direction; 0 for no limit.
        up: whether data from clients arrives.
        down: whether data from the server arrives.
        accepts: whether new connections are accepted; otherwise they are cut at once.
        cut_after: bytes from the client after which a connection is cut, once per connection; 0 for never.
    """

    latency: float = 0.0
    bandwidth: int = 0
    up: bool = True
    down: bool = True
    accepts: bool = True
    cut_after: int = 0


class Proxy:
    """A proxy between clients and one server."""

    def __init__(self, connect: Connect, port: int) -> None:
        self._connect, self.port = connect, port
        self.network = Network()
        self.cuts = 0
        self.held = 0
        self._open: set[StreamWriter] = set()

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every open connection."""
        for writer in self._open:
            writer.transport.abort()
            self.cuts += 1

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve a client."""
        if not self.network.accepts:
            self.cuts += 1
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await self._connect()
        except OSError:  # the server is down
            writer.transport.abort()
            return
        ends = {writer, server_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, server_writer, up=True))
                group.create_task(self._pump(server_reader, writer, up=False))
        except* (OSError, _CutError):
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: StreamReader, writer: StreamWriter, *, up: bool) -> None:
        passed = 0
        while data := await reader.read(_CHUNK):
            network = self.network
            passed += len(data)
            if up and network.cut_after and passed > network.cut_after:
                self.cuts += 1
                writer.write(data)
                await writer.drain()
                raise _CutError
            if not (network.up if up else network.down):
                self.held += 1
                continue
            if wait := network.latency + (len(data) / network.bandwidth if network.bandwidth else 0.0):
                self.held += 1
                await passing(wait)
            writer.write(data)
            await writer.drain()
        raise _CutError  # one side has closed: so does the other


class _CutError(Exception):
    """The connection is over."""


@asynccontextmanager
async def proxy(connect: Connect, port: int = 0) -> AsyncIterator[Proxy]:
    """A proxy without faults."""
    made = Proxy(connect, port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()
