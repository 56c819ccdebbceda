"""F38: many readers of the feed: idle, slow, disconnected, and all reconnecting at once."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil
import pytest
from sqlalchemy import text

from services.notifications.push.sse import RESERVED_FILES
from shared import outbox
from shared.auth import Role
from shared.db import Database
from shared.events import PUBLIC_TOPIC
from shared.events.envelope import Stored
from tests.faults.deployment import Instance, client, running
from tests.faults.http_clients import Log, read
from tests.faults.report import Result, count
from tests.faults.sse_clients import Listener, findings_of, listening, request
from tests.support import factories
from tests.support.run import Run
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SMALL = "kei.members.service.requested.v1"
SIZE, LARGE = 50_000, 150
"""Bytes of a large event, and how many of them a slow reader does not take."""
COSTS = 1_000_000
"""Bytes that a slow reader may cost: two pieces of what the server writes at once, and what Python adds."""
PARTS = 10
PATIENCE = count(2, 60)
"""Seconds until a slow reader is cut off; in full it is what the service has."""


class Feed:
    """The feed in the database of its service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key, self._newest = uuid4(), 0

    async def publish(self, number: int) -> None:
        """Publish a number of events that all listeners subscribe to."""
        wished = [factories.service_requested(cluster_id=self._key) for _ in range(number)]
        await self._put([factories.stored(event, version) for version, event in enumerate(wished, self._newest + 1)])
        self._newest += number

    async def publish_large(self) -> None:
        """Publish large events that only slow readers subscribe to."""
        await self._put([factories.stored(factories.training_published(title="x" * SIZE)) for _ in range(LARGE)])

    async def _put(self, events: Sequence[Stored]) -> None:
        async with self._database.transaction() as tx:
            await outbox.forward(tx, events, PUBLIC_TOPIC)
            await tx.execute(text("NOTIFY outbox"))

    async def wait_for(self, listeners: Sequence[Listener]) -> float:
        """Wait until the listeners have all events; return the seconds that it took."""
        begun = time.monotonic()
        await eventually(
            lambda: all(listener.seen and listener.seen[-1].version >= self._newest for listener in listeners), 60.0
        )
        return time.monotonic() - begun

    def shown(self, log: Log) -> Log:
        """The part of the log that all listeners subscribe to."""
        log.events = [event for event in log.events if event.key == self._key]
        return log


async def test_f38_many_idle_readers_some_slow_ones_and_all_of_them_back_at_once(
    service_database: Callable[[str], Awaitable[str]], run: Run, table: Path
) -> None:
    url = await service_database("notifications")
    instance = Instance("notifications", url, run.new_folder(), patience=PATIENCE)
    database = Database(url, name="writer")
    feed = Feed(database)
    listeners = [Listener(lambda: instance.url, SMALL) for _ in range(count(100, 1000))]
    async with running(instance), client(instance.url) as http:
        process = psutil.Process(instance.process.pid)
        await feed.publish_large()
        await feed.publish(10)
        await eventually(lambda: _has_events(http, 10 + LARGE))
        empty = process.memory_info().rss
        async with _in_parts(listeners) as parts:
            await feed.wait_for(listeners)
            each = (process.memory_info().rss - empty) / len(listeners)
            stall = await _add_slow_readers(feed, listeners, instance)
            for gone_parts, leave in enumerate(parts, 1):
                await leave()
                await feed.publish(1)
                await feed.wait_for([reader for n, reader in enumerate(listeners) if n % PARTS >= gone_parts])
        await feed.publish(20)
        async with _in_parts(listeners):
            recovery = await feed.wait_for(listeners)
        shown = feed.shown(await read(http.request, "/feed"))
    await database.close()
    Result(
        fault=f"F38 {len(listeners)} readers, {each / 1000:.0f} kB each",
        transport="local",
        injected=len(listeners),
        acked=len(shown.events),
        seen=sum(len(listener.seen) for listener in listeners),
        raw_dup=sum(listener.refused for listener in listeners),
        stall=stall,
        recovery=recovery,
        findings=findings_of(listeners, shown),
    ).settle(table)
    assert [listener.connects for listener in listeners] == [2] * len(listeners)


async def test_f38_more_readers_come_than_there_is_room_for(
    service_database: Callable[[str], Awaitable[str]], run: Run, table: Path
) -> None:
    url = await service_database("notifications")
    instance = Instance("notifications", url, run.new_folder())
    database = Database(url, name="writer")
    feed = Feed(database)
    room = count(100, 800)
    many = room + room // 5  # who is refused is there for a moment: below RESERVED_FILES
    listeners = [Listener(lambda: instance.url, SMALL) for _ in range(many)]
    async with running(instance), client(instance.url) as http:
        limit = room + min(room, RESERVED_FILES)
        psutil.Process(instance.process.pid).rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        first, rest = listeners[:room], listeners[room:]
        async with listening(rest):
            async with listening(first):
                await feed.publish(10)
                await eventually(
                    lambda: sum(listener.connects for listener in listeners) == room and _all_asked(listeners), 30.0
                )
                async with client(instance.url) as prober:
                    assert (await prober.get("/readyz")).status_code == 200, "no room was left for the probes"
            recovery = await feed.wait_for(rest)
        async with listening(first):
            await feed.wait_for(first)
        shown = feed.shown(await read(http.request, "/feed"))
    await database.close()
    refused = sum(listener.refused for listener in listeners)
    Result(
        fault=f"F38 room for {room}, {many} came",
        transport="local",
        injected=refused,
        acked=len(shown.events),
        seen=sum(len(listener.seen) for listener in listeners),
        raw_dup=0,
        stall=0.0,
        recovery=recovery,
        findings=findings_of(listeners, shown),
    ).settle(table)
    assert all(listener.broken == 0 for listener in listeners)


def _all_asked(listeners: Sequence[Listener]) -> bool:
    return all(listener.connects or listener.refused for listener in listeners)


async def _add_slow_readers(feed: Feed, listeners: Sequence[Listener], instance: Instance) -> float:
    """Readers connect that read nothing. They cost little and are disconnected; return the longest delay of others."""
    process, slow, stall = psutil.Process(instance.process.pid), count(20, 50), 0.0
    before = most = process.memory_info().rss
    async with AsyncExitStack() as stack:
        ports = {await _silent(instance, stack) for _ in range(slow)}
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            await feed.publish(1)
            stall = max(stall, await feed.wait_for(listeners))
            most = max(most, process.memory_info().rss)
            await passing(0.1)
        assert most - before < slow * COSTS, f"a slow reader costs {(most - before) / slow:.0f} bytes"
        await eventually(lambda: not _open(process) & ports, PATIENCE + 5.0)
    return stall


async def _silent(instance: Instance, stack: AsyncExitStack) -> int:
    """Connect a client that requests the whole feed and reads nothing; return its port."""
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)  # noqa: FBT003  there is no other way to say it
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", instance.port))
    await loop.sock_sendall(connection, request("", factories.signed_in(Role.operator)))
    port: int = connection.getsockname()[1]
    return port


def _open(process: psutil.Process) -> set[int]:
    """The ports of the clients that are still connected to the process."""
    return {connection.raddr.port for connection in process.net_connections("tcp4") if connection.raddr}


async def _has_events(http: httpx2.AsyncClient, position: int) -> bool:
    reply = await http.get("/feed/head")
    return bool(reply.raise_for_status().json()["position"] == position)


@asynccontextmanager
async def _in_parts(listeners: Sequence[Listener]) -> AsyncIterator[list[Callable[[], Awaitable[None]]]]:
    """Run all listeners; yields functions that disconnect one part of them after the other."""
    async with AsyncExitStack() as stack:
        parts = [await stack.enter_async_context(AsyncExitStack()) for _ in range(PARTS)]
        for number, part in enumerate(parts):
            await part.enter_async_context(listening(listeners[number::PARTS]))
        yield [part.aclose for part in parts]
