"""Latency from a service request to its proposals, at constant rates, while plans of the consortium are made."""

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
from bench.relay_latency import LatencyVariants
from bench.relay_throughput import relaying
from bench.servers import Servers
from deploy.api_client import Api
from deploy.sample_data.wait import read_log, wait_for_run, wait_until_idle
from tests.support.kafka_local import available
from tests.support.kei import Kei

CLUSTERS = 100
LOADS = ((1, 10), (10, 60), (100, 500))
"""Requests a second, and their number."""
_TIMEOUT = 240.0
_LOAD_TIMEOUT = 600.0


class RequestLatency:
    """A running Kei with a generated consortium; each cluster sends a service request for each indicator once."""

    def __init__(self, api: Api, consortium: str, requests: list[tuple[str, str]]) -> None:
        self._api, self._consortium, self._requests = api, consortium, requests

    async def latencies(self, load: tuple[int, int]) -> Metrics:
        """Percentiles in ms from a request's event to that of its last proposal, of requests with proposals."""
        rate, count = load
        sent: set[str] = set()

        async def send_request(number: int) -> None:
            cluster, indicator = self._requests.pop()
            body = {"framework": FRAMEWORK, "indicator": indicator, "urgency": 3}
            key = f"bench/{rate}/{number}/{cluster}/{indicator}"
            request = await self._api.write("members", f"/clusters/{cluster}/requests", body, key=key)
            sent.add(request["id"])

        async with running(self._plan_repeatedly()):
            await open_loop(rate, count, send_request)
        await wait_until_idle(self._api, _TIMEOUT)
        requested_at = await self._last_event_times("members", sent)
        proposed_at = await self._last_event_times("matching", sent)
        values = [(proposed_at[id] - requested_at[id]).total_seconds() * 1000 for id in proposed_at]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}

    async def _last_event_times(self, service: str, requests: set[str]) -> dict[str, datetime]:
        """The time of the last event of each request in the log of a service."""
        times: dict[str, datetime] = {}
        for item in await read_log(self._api, service, "/ops/events"):
            event = item["event"]
            id = event["data"].get("request_id")
            if id in requests and event["type"] in _EVENT_TYPES:
                times[id] = max(times.get(id, _EPOCH), datetime.fromisoformat(event["time"]))
        return times

    async def _plan_repeatedly(self) -> None:
        """Make one plan after the other until cancelled."""
        while True:
            run = await self._api.write("matching", "/runs", {"consortium_id": self._consortium}, key=new_key())
            await wait_for_run(self._api, run["id"], _TIMEOUT)
            await asyncio.sleep(0.1)


_EVENT_TYPES = {"kei.members.service.requested.v1", "kei.matching.pair.proposed.v1"}
_EPOCH = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def new_key() -> str:
    """A new idempotency key."""
    return f"bench/{random.random()}"  # noqa: S311  not a secret


def _write_story(servers: Servers, size: int) -> Path:
    """Write a generated consortium to a file in a new folder."""
    folder = Path(mkdtemp(prefix="kei-", dir=servers.root))
    folder.chmod(0o755)
    file = folder / "story.yaml"
    file.write_text(yaml.safe_dump(story(size), sort_keys=False))
    return file


@asynccontextmanager
async def with_consortium(servers: Servers, size: int, kafka: str | None) -> AsyncIterator[tuple[Kei, Api]]:
    """A running Kei with a generated consortium of `size` clusters and a draft of its plan."""
    file = _write_story(servers, size)
    kei = Kei(file.parent, kafka)
    try:
        await kei.start("--no-import")
        await kei.ready()
        status, output = await kei.run_command("import", str(file), timeout=_LOAD_TIMEOUT)
        if status:
            message = f"the consortium was not loaded: {output[-500:]}"
            raise RuntimeError(message)
        async with kei.api() as api:
            yield kei, api
    finally:
        await kei.end()


@asynccontextmanager
async def _request_latency(servers: Servers, kafka: str | None) -> AsyncIterator[RequestLatency]:
    async with with_consortium(servers, CLUSTERS, kafka) as (_, api):
        clusters = await api.items("members", "/clusters")
        indicators = story(CLUSTERS)["clusters"][0]["assessment"]["scores"]
        requests = [(cluster["id"], indicator) for cluster in clusters for indicator in indicators]
        random.Random(1).shuffle(requests)  # noqa: S311  for the same deck each time
        yield RequestLatency(api, clusters[0]["consortium_id"], requests)


@asynccontextmanager
async def request_latency_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Requests over each transport, compared with a plain send over Kafka."""
    async with AsyncExitStack() as stack:
        variants: dict[str, Variant] = {}
        transports: dict[str, str | None] = {"local transport": None}
        if available():
            await servers.delete_kei_topics()
            transports["Kafka"] = await servers.kafka_address()
        for transport, bootstrap_servers in transports.items():
            request_latency = await stack.enter_async_context(_request_latency(servers, bootstrap_servers))
            variants |= {f"{transport}, {load[0]}/s": partial(request_latency.latencies, load) for load in LOADS}
        if available():
            relay_variants = await stack.enter_async_context(relaying(servers))
            kafka_only = LatencyVariants(relay_variants, await servers.kafka_address(), relay_variants.topic)
            variants["aiokafka send to a consumer, 100/s"] = partial(kafka_only.direct, (100, 500))
        yield Bench(
            f"ms from a request to its proposals, of {CLUSTERS} clusters, while plans of them are made",
            variants,
            warm=0,
            at_most=1,
        )
