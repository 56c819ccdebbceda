"""D: from a request for help to its proposals, at steady rates, while plans of the same consortium are made."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import yaml

from bench.harness import Bench, Metrics, Variant, open_loop, percentile, running
from bench.matching.story import story
from bench.matching.world import FRAMEWORK
from bench.relay_latency import Delays
from bench.relay_throughput import relaying
from bench.servers import Stage
from deploy.api_client import Api
from deploy.sample_data.wait import read_log, wait_for_run, wait_until_idle
from tests.support.kafka_local import available
from tests.support.kei import Kei

CLUSTERS = 100
LOADS = ((1, 10), (10, 60), (100, 500))
"""Requests a second, and how many."""
_PATIENCE = 240.0
_LOADED = 600.0


class Asking:
    """A running Kei with a generated consortium; each of its clusters asks for help with each indicator once."""

    def __init__(self, api: Api, consortium: str, deck: list[tuple[str, str]]) -> None:
        self._api, self._consortium, self._deck = api, consortium, deck

    async def delays(self, load: tuple[int, int]) -> Metrics:
        """Percentiles in ms, from a request's event to the last of its proposals, where somebody can answer it."""
        rate, count = load
        sent: set[str] = set()

        async def ask(number: int) -> None:
            cluster, indicator = self._deck.pop()
            body = {"framework": FRAMEWORK, "indicator": indicator, "urgency": 3}
            once = f"bench/{rate}/{number}/{cluster}/{indicator}"
            made = await self._api.write("members", f"/clusters/{cluster}/requests", body, key=once)
            sent.add(made["id"])

        async with running(self._planning()):
            await open_loop(rate, count, ask)
        await wait_until_idle(self._api, _PATIENCE)
        asked = await self._times("members", sent)
        answered = await self._times("matching", sent)
        values = [(answered[id] - asked[id]).total_seconds() * 1000 for id in answered]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}

    async def _times(self, service: str, requests: set[str]) -> dict[str, datetime]:
        """When the last event about each request was put, as its service says."""
        found: dict[str, datetime] = {}
        for item in await read_log(self._api, service, "/ops/events"):
            event = item["event"]
            id = event["data"].get("request_id")
            if id in requests and event["type"] in _ABOUT:
                found[id] = max(found.get(id, _LONG_AGO), datetime.fromisoformat(event["time"]))
        return found

    async def _planning(self) -> None:
        """One plan after the other, as long as it is wanted."""
        while True:
            run = await self._api.write("matching", "/runs", {"consortium_id": self._consortium}, key=new_key())
            await wait_for_run(self._api, run["id"], _PATIENCE)
            await asyncio.sleep(0.1)


_ABOUT = {"kei.members.service.requested.v1", "kei.matching.pair.proposed.v1"}
_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def new_key() -> str:
    """A key that was not there before."""
    return f"bench/{random.random()}"  # noqa: S311  not a secret


def _written(stage: Stage, size: int) -> Path:
    """A consortium, in a folder of its own."""
    folder = Path(mkdtemp(prefix="kei-", dir=stage.root))
    folder.chmod(0o755)
    file = folder / "story.yaml"
    file.write_text(yaml.safe_dump(story(size), sort_keys=False))
    return file


@asynccontextmanager
async def with_consortium(stage: Stage, size: int, kafka: str | None) -> AsyncIterator[tuple[Kei, Api]]:
    """A running Kei with a generated consortium of so many clusters, and a draft of its plan."""
    file = _written(stage, size)
    kei = Kei(file.parent, kafka)
    try:
        await kei.start("--no-import")
        await kei.ready()
        status, said = await kei.do("import", str(file), patience=_LOADED)
        if status:
            message = f"the consortium was not loaded: {said[-500:]}"
            raise RuntimeError(message)
        async with kei.api() as api:
            yield kei, api
    finally:
        await kei.end()


@asynccontextmanager
async def _asking(stage: Stage, kafka: str | None) -> AsyncIterator[Asking]:
    async with with_consortium(stage, CLUSTERS, kafka) as (_, api):
        clusters = await api.items("members", "/clusters")
        indicators = story(CLUSTERS)["clusters"][0]["assessment"]["scores"]
        deck = [(one["id"], indicator) for one in clusters for indicator in indicators]
        random.Random(1).shuffle(deck)  # noqa: S311  for the same deck each time
        yield Asking(api, clusters[0]["consortium_id"], deck)


@asynccontextmanager
async def d(stage: Stage) -> AsyncIterator[Bench]:
    """Requests, and beside them a bare way through Kafka."""
    async with AsyncExitStack() as stack:
        variants: dict[str, Variant] = {}
        transports: dict[str, str | None] = {"local transport": None}
        if available():
            await stage.without_kei()
            transports["Kafka"] = await stage.kafka()
        for transport, servers in transports.items():
            asking = await stack.enter_async_context(_asking(stage, servers))
            variants |= {f"{transport}, {load[0]}/s": partial(asking.delays, load) for load in LOADS}
        if available():
            ways = await stack.enter_async_context(relaying(stage))
            bare = Delays(ways, await stage.kafka(), ways.topic)
            variants["aiokafka send to a consumer, 100/s"] = partial(bare.direct, (100, 500))
        yield Bench(
            f"ms from a request to its proposals, of {CLUSTERS} clusters, while plans of them are made",
            variants,
            warm=0,
            at_most=1,
        )
