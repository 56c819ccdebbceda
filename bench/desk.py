"""The match desk's pages and its what-ifs, as a coordinator waits for them, at two sizes of a consortium."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import httpx2

from bench.harness import Bench, Metrics, Variant, percentile
from bench.request_latency import new_key, with_consortium
from bench.servers import Stage
from deploy.api_client import Api
from deploy.embedded.app import operator_token
from deploy.embedded.data_dir import DataDirectory
from tests.support.kei import Kei

SIZES = (500, 5_000)
TIMES = 7


class Desk:
    """A running Kei with a draft of a generated consortium."""

    def __init__(self, kei: Kei, api: Api, run: dict[str, Any]) -> None:
        self._kei, self._api, self._run = kei, api, run

    async def page(self, path: str) -> Metrics:
        """One page."""
        token = operator_token(DataDirectory(self._kei.home))
        headers = {"Cookie": f"kei={token}", "Accept": "text/html"}
        async with httpx2.AsyncClient(base_url=self._kei.url, headers=headers, timeout=60, trust_env=False) as http:

            async def once() -> None:
                (await http.get(path.format(run=self._run["id"], learner=self._run["learner"]))).raise_for_status()

            return await _timed(once)

    async def what_if(self) -> Metrics:
        """Other weights, from the form to the two plans side by side."""

        async def once() -> None:
            weights = {"knowledge": 3000, "requests": 3000}
            body = {"consortium_id": self._run["consortium_id"], "name": "A try", "criteria": {"weights": weights}}
            await self._api.write("matching", "/what-ifs", body, key=new_key())

        return await _timed(once)


async def _timed(act: Callable[[], Awaitable[None]]) -> Metrics:
    await act()
    times = []
    for _ in range(TIMES):
        begun = perf_counter()
        await act()
        times.append((perf_counter() - begun) * 1000)
    return {"p50": percentile(times, 0.5), "p99": max(times)}


@asynccontextmanager
async def _desk(stage: Stage, size: int) -> AsyncIterator[Desk]:
    async with with_consortium(stage, size, None) as (kei, api):
        run = (await api.items("matching", "/runs"))[-1]
        pairs = (await api.get("matching", f"/runs/{run['id']}/plan"))["pairs"]
        yield Desk(kei, api, run | {"learner": pairs[0]["learner_id"]})


@asynccontextmanager
async def desk(stage: Stage) -> AsyncIterator[Bench]:
    """Pages, and what a slider asks for."""
    pages = {"the desk": "/desk", "a plan": "/desk/runs/{run}", "a learner": "/desk/runs/{run}/learners/{learner}"}
    async with AsyncExitStack() as stack:
        variants: dict[str, Variant] = {}
        for size in SIZES:
            one = await stack.enter_async_context(_desk(stage, size))
            variants |= {f"{size:,}: {name}": partial(one.page, path) for name, path in pages.items()}
            variants[f"{size:,}: a what-if"] = one.what_if
        yield Bench(f"ms for a page, median and longest of {TIMES}", variants, warm=0, at_most=1)
