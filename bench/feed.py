"""The feed, read by concurrent partners in pages over HTTP from a process of notifications."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

import httpx2

from bench.harness import Metrics, watch
from bench.servers import Servers
from bench.world import events
from deploy.migrate import upgrade
from shared import clock, outbox
from shared.auth import Role
from shared.db import Database
from shared.events import PUBLIC_TOPIC
from tests.faults.deployment import Instance, client, running
from tests.support import factories
from tests.support.waiting import eventually

EVENTS, PAGE = 1_000, 100


class FeedReaders:
    """Partners that each read the whole feed."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def read(self, partners: int) -> Metrics:
        """Read the feed page by page with that many concurrent partners; an item is one event read by one partner."""
        with watch() as clock:
            await asyncio.gather(*(self._read_all() for _ in range(partners)))
        return clock.per(partners * EVENTS)

    async def _read_all(self) -> None:
        after = 0
        for _ in range(EVENTS // PAGE):
            response = await self._http.get("/feed", params={"after": after, "limit": PAGE})
            after = response.raise_for_status().json()["next"]

    async def is_complete(self) -> bool:
        """Whether all events have a position."""
        response = await self._http.get("/feed/head")
        return bool(response.raise_for_status().json()["position"] >= EVENTS)


@asynccontextmanager
async def feed_readers(servers: Servers) -> AsyncIterator[FeedReaders]:
    """Serve a feed of 1,000 events."""
    async with servers.database() as url:
        await upgrade("notifications", url)
        database = Database(url, name="bench")
        await outbox.maintain_partitions(database, clock.now())
        async with database.transaction() as tx:
            await outbox.forward(tx, events(EVENTS), PUBLIC_TOPIC)
        await database.close()
        instance = Instance("notifications", url, Path(mkdtemp(dir=servers.root)))
        async with running(instance), client(instance.url, factories.signed_in(Role.operator)) as http:
            readers = FeedReaders(http)
            await eventually(readers.is_complete, 30.0)
            yield readers
