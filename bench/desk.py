"""Response times of the match desk's pages and what-ifs, for two sizes of a consortium."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import httpx2

from bench.harness import Bench, Metrics, Variant, percentile
from bench.request_latency import new_key, with_consortium
from bench.servers import Servers
from deploy.api_client import Api
from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from tests.support.kei import Kei

SIZES = (500, 5_000)
REPETITIONS = 7


class MatchDesk:
    """A running Kei with a draft plan of a generated consortium."""

    def __init__(self, kei: Kei, api: Api, run: dict[str, Any]) -> None:
        self._kei, self._api, self._run = kei, api, run

    async def page(self, path: str) -> Metrics:
        """Response times of a page."""
        token = operator_token(DataDirectory(self._kei.home))
        headers = {"Cookie": f"kei={token}", "Accept": "text/html"}
        async with httpx2.AsyncClient(base_url=self._kei.url, headers=headers, timeout=60, trust_env=False) as http:

            async def request() -> None:
                (await http.get(path.format(run=self._run["id"], learner=self._run["learner"]))).raise_for_status()

            return await _measure(request)

    async def what_if(self) -> Metrics:
        """Response times of a what-if with other weights."""

        async def request() -> None:
            weights = {"knowledge": 3000, "requests": 3000}
            body = {"consortium_id": self._run["consortium_id"], "name": "A try", "criteria": {"weights": weights}}
            await self._api.write("matching", "/what-ifs", body, key=new_key())

        return await _measure(request)


async def _measure(request: Callable[[], Awaitable[None]]) -> Metrics:
    await request()
    times = []
    for _ in range(REPETITIONS):
        started = perf_counter()
        await request()
        times.append((perf_counter() - started) * 1000)
    return {"p50": percentile(times, 0.5), "p99": max(times)}


@asynccontextmanager
async def _match_desk(servers: Servers, size: int) -> AsyncIterator[MatchDesk]:
    async with with_consortium(servers, size, None) as (kei, api):
        run = (await api.items("matching", "/runs"))[-1]
        pairs = (await api.get("matching", f"/runs/{run['id']}/plan"))["pairs"]
        yield MatchDesk(kei, api, run | {"learner": pairs[0]["learner_id"]})


@asynccontextmanager
async def desk(servers: Servers) -> AsyncIterator[Bench]:
    """Pages and what-ifs of the match desk."""
    pages = {"the desk": "/desk", "a plan": "/desk/runs/{run}", "a learner": "/desk/runs/{run}/learners/{learner}"}
    async with AsyncExitStack() as stack:
        variants: dict[str, Variant] = {}
        for size in SIZES:
            match_desk = await stack.enter_async_context(_match_desk(servers, size))
            variants |= {f"{size:,}: {name}": partial(match_desk.page, path) for name, path in pages.items()}
            variants[f"{size:,}: a what-if"] = match_desk.what_if
        yield Bench(f"ms for a page, median and longest of {REPETITIONS}", variants, warm=0, at_most=1)
