"""The feed as partners read it: pages over HTTP from a process of notifications, some partners at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

import httpx2

from bench.harness import Metrics, watch
from bench.servers import Stage
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


class Partners:
    """Readers who each take the whole feed."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def read(self, partners: int) -> Metrics:
        """So many partners at once, page by page; an item is an event that one of them has read."""
        with watch() as clock:
            await asyncio.gather(*(self._all() for _ in range(partners)))
        return clock.per(partners * EVENTS)

    async def _all(self) -> None:
        after = 0
        for _ in range(EVENTS // PAGE):
            reply = await self._http.get("/feed", params={"after": after, "limit": PAGE})
            after = reply.raise_for_status().json()["next"]

    async def is_filled(self) -> bool:
        """Whether all events have their positions."""
        reply = await self._http.get("/feed/head")
        return bool(reply.raise_for_status().json()["position"] >= EVENTS)


@asynccontextmanager
async def partners(stage: Stage) -> AsyncIterator[Partners]:
    """A feed of 1,000 events, served."""
    async with stage.database() as url:
        await upgrade("notifications", url)
        database = Database(url, name="bench")
        await outbox.maintain_partitions(database, clock.now())
        async with database.transaction() as tx:
            await outbox.forward(tx, events(EVENTS), PUBLIC_TOPIC)
        await database.close()
        instance = Instance("notifications", url, Path(mkdtemp(dir=stage.root)))
        async with running(instance), client(instance.url, factories.signed_in(Role.operator)) as http:
            readers = Partners(http)
            await eventually(readers.is_filled, 30.0)
            yield readers
