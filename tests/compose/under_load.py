"""Calls through a deployment's door while something is done to it, and what became of their events."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from tests.faults.http_clients import Ask, Callers, Log, read
from tests.faults.report import Result
from tests.support.compose import Deployment
from tests.support.waiting import eventually


class UnderLoad:
    """A deployment that is called all the time.

    Args:
        deployed: what is called.
        client: of its door.
    """

    def __init__(self, deployed: Deployment, client: httpx2.AsyncClient) -> None:
        self._token = operator_token(DataDirectory(deployed.secrets))
        self._client = client
        self.members, self.feed = self._ask("members"), self._ask("notifications")
        self.callers = Callers(self.members)

    async def result(self, fault: str, injected: int) -> Result:
        """What became of all calls, once their events are in the feed."""
        over = time.monotonic()
        ours = {cluster for cluster, _ in self.callers.answered}

        async def arrived() -> tuple[Log, Log] | None:
            log, seen = await read(self.members, "/ops/events"), await read(self.feed, "/feed")
            wanted = {event.id for event in log.events if str(event.key) in ours}
            log.events = [event for event in log.events if event.id in wanted]
            seen.events = [event for event in seen.events if event.id in wanted]
            return (log, seen) if len(seen.events) >= len(wanted) else None

        logs = await eventually(arrived, 120.0)
        assert logs is not None
        log, seen = logs
        return self.callers.result(fault, "kafka", injected, log, seen, time.monotonic() - over)

    def _ask(self, service: str) -> Ask:
        async def ask(method: str, path: str, **options: Any) -> httpx2.Response:
            headers = {"Authorization": f"Bearer {self._token}", **options.pop("headers", {})}
            return await self._client.request(method, f"/api/{service}{path}", headers=headers, **options)

        return ask


@asynccontextmanager
async def called(deployed: Deployment) -> AsyncIterator[UnderLoad]:
    """Something to call a deployment with."""
    async with deployed.http() as client:
        yield UnderLoad(deployed, client)
