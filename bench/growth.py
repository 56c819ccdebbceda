"""The same again with ten times the rows, or partners: the time each takes grows by ten to the power of the exponent.

1 is what is wanted: an event costs the same however many there are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from math import log10

from bench.commit import commits
from bench.feed import partners
from bench.harness import Bench, Metrics, Variant
from bench.inbox_worker import handling, in_batches, single
from bench.ingest import Ingest, produced
from bench.outbox_read import LOG, Reading
from bench.relay_throughput import relaying
from bench.servers import Stage
from bench.world import place

Sized = Callable[[int], Awaitable[Metrics]]
TIMES = 10


async def _grown(way: Sized, count: int) -> Metrics:
    small, large = (await way(count))["rate"], (await way(count * TIMES))["rate"]
    return {"rate": small, f"rate at {TIMES} times as many": large, "exponent": 1 + log10(small / large)}


@asynccontextmanager
async def growth(stage: Stage) -> AsyncIterator[Bench]:
    """Exponents."""
    async with AsyncExitStack() as stack:
        here, ways = await stack.enter_async_context(commits(stage))
        log = Reading(await stack.enter_async_context(place(stage, *LOG)))
        relays = await stack.enter_async_context(relaying(stage))
        handled = await stack.enter_async_context(handling(stage))
        inbox = await stack.enter_async_context(place(stage))
        feed = await stack.enter_async_context(partners(stage))
        few, many = await produced(stage, 10_000), await produced(stage, 100_000)
        servers = await stage.kafka()

        async def filled(count: int) -> Metrics:
            await here.fill_outbox(count)
            return await ways.kei(800)

        async def ingested(count: int) -> Metrics:
            return await Ingest(inbox, servers, few if count <= 10_000 else many).kei(count)  # noqa: PLR2004  as above

        variants: dict[str, Variant] = {
            "A1 commits, the outbox holding 20,000 rows": partial(_grown, filled, 20_000),
            "A2 10,000 rows placed and marked": partial(_grown, log.relay, 10_000),
            "A4 10,000 records into the inbox": partial(_grown, ingested, 10_000),
            "A5a 10,000 rows relayed": partial(_grown, relays.kei, 10_000),
            "A5c 1,000 events handled, each on its own": partial(_grown, partial(handled.kei, single()), 1_000),
            "A5c' 4,000 events handled, many at once": partial(_grown, partial(handled.kei, in_batches()), 4_000),
            "the feed's 1,000 events read by 5 partners at once": partial(_grown, feed.read, 5),
        }
        yield Bench("with ten times the rows or partners", variants, warm=0, at_most=2)
