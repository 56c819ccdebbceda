"""HTTP clients of members: each call has its own idempotency key and is retried with it until it is answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx2

from shared.clock import jitter
from tests.faults.checks import Event, examine
from tests.faults.report import Result
from tests.support import factories
from tests.support.waiting import eventually, passing

Json = dict[str, Any]
Ask = Callable[..., Awaitable[httpx2.Response]]
"""Makes a request: method, path, and what httpx2 takes."""
CALLS = 3
"""How many calls a visit makes: a cluster is registered, and its capacity changed twice."""
_PAGE = 1000


class Callers:
    """Clients that call at a constant rate, whether or not earlier calls were answered, unless too many calls wait.

    Args:
        ask: makes a request to members, as an operator.
        at_once: limit of waiting calls, so that a busy machine does not count as a fault.
    """

    def __init__(self, ask: Ask, at_once: int = 16) -> None:
        self._ask, self._places = ask, asyncio.Semaphore(at_once)
        self._consortium = ""
        self._answered_at: list[float] = []
        self.answered: list[tuple[str, int]] = []
        """Cluster and version of each answered write; each write is one event."""
        self.failures: list[str] = []
        """Attempts without a response, or with a response that asks for a retry."""
        self.replayed = 0
        """Responses to a retry of a call that already had its effect."""
        self.refused: list[str] = []
        """Other responses: a second effect, or a wrong effect."""

    @asynccontextmanager
    async def calling(self, rate: float = 50.0) -> AsyncIterator[None]:
        """Make calls at a rate per second until the block ends, then wait until all are answered."""
        self._consortium = self._consortium or (await self._call("POST", "/consortia", factories.consortium()))["id"]
        async with asyncio.TaskGroup() as group:
            calls = group.create_task(self._call_regularly(group, CALLS / rate))
            yield
            calls.cancel()

    async def _call_regularly(self, group: asyncio.TaskGroup, every: float) -> None:
        while True:
            await self._places.acquire()
            group.create_task(self._make_calls()).add_done_callback(lambda _: self._places.release())
            await passing(every)

    async def _make_calls(self) -> None:
        cluster = await self._write("POST", "/clusters", factories.cluster(self._consortium))
        for places in range(1, CALLS):
            capacity = {"mentor_capacity": places + 5, "learner_capacity": 1}
            if cluster is not None:
                path, seen = f"/clusters/{cluster['id']}/capacity", f'"v{cluster["version"]}"'
                cluster = await self._write("PUT", path, capacity, seen)

    async def _write(self, method: str, path: str, body: Json, seen: str | None = None) -> Json | None:
        try:
            cluster = await self._call(method, path, body, seen)
        except _RefusedError as refusal:
            self.refused.append(str(refusal))
            return None
        self._answered_at.append(time.monotonic())
        self.answered.append((cluster["id"], cluster["version"]))
        return cluster

    async def _call(self, method: str, path: str, body: Json, seen: str | None = None) -> Json:
        headers = {"Idempotency-Key": str(uuid4())} | ({"If-Match": seen} if seen else {})
        wait = 0.05
        while True:
            try:
                reply = await self._ask(method, path, json=body, headers=headers)
            except httpx2.TransportError as error:
                self.failures.append(repr(error))
            else:
                if reply.is_success:
                    self.replayed += "Idempotency-Replayed" in reply.headers
                    answer: Json = reply.json()
                    return answer
                if reply.status_code < 500 and "idempotency-key-in-use" not in reply.text:
                    raise _RefusedError(f"{reply.status_code} {method} {path}: {reply.text}")
                self.failures.append(f"{reply.status_code} {reply.text}")
            await passing(jitter(wait))
            wait = min(wait * 2, 0.2)

    def result(self, fault: str, transport: str, injected: int, log: "Log", seen: "Log", recovery: float) -> Result:
        """Compare the calls with the log of members and with the log that should have its events."""
        ids = {(str(event.key), event.version): event.id for event in log.events}
        acked = [ids.get(write, uuid4()) for write in self.answered]
        return Result(
            fault=fault,
            transport=transport,
            injected=injected,
            acked=len(acked),
            seen=len(seen.events),
            raw_dup=self.replayed,
            stall=max((after - before for before, after in pairwise(self._answered_at)), default=0.0),
            recovery=recovery,
            findings=examine(acked, log.events, seen.events, seen.positions),
        )


class _RefusedError(Exception):
    """A response that a retry would not change."""


class Log:
    """A log of events read over HTTP: that of a service, or the feed."""

    def __init__(self, items: Sequence[Json]) -> None:
        feed_events = [item["event"] for item in items]
        self.events = [
            Event(UUID(event["id"]), UUID(event["partitionkey"]), int(event["sequence"])) for event in feed_events
        ]
        self.positions: list[int] = [item["position"] for item in items]


async def read(ask: Ask, path: str) -> Log:
    """The whole log at `path`."""
    items: list[Json] = []
    while True:
        query = {"after": len(items) and items[-1]["position"], "limit": _PAGE}
        reply = await ask("GET", path, params=query)
        page = reply.raise_for_status().json()["items"]
        items += page
        if not page:
            return Log(items)


async def drained(ask: Ask, feed: Ask, deadline: float = 60.0) -> tuple[Log, Log]:
    """Wait until the feed has all committed events of members; return the log and the feed."""

    async def arrived() -> tuple[Log, Log] | None:
        status = await ask("GET", "/ops/status")
        if status.raise_for_status().json()["outbox"]["unsent"]:
            return None
        log, seen = await read(ask, "/ops/events"), await read(feed, "/feed")
        return (log, seen) if len(seen.events) >= len(log.events) else None

    log = await eventually(arrived, deadline)
    assert log is not None
    return log
