"""Growth with ten times the rows or partners: total time grows by ten to the power of the exponent.

An exponent of 1 is linear: the cost of one event does not depend on their number.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from math import log10

from bench.commit import commit_variants
from bench.feed import feed_readers
from bench.harness import Bench, Metrics, Variant
from bench.inbox_worker import batch_consumer, single_event_consumer, worker_variants
from bench.ingest import IngestVariants, filled_topic
from bench.outbox_read import LOG, OutboxReadVariants
from bench.relay_throughput import relaying
from bench.servers import Servers
from bench.world import bench_database

SizedVariant = Callable[[int], Awaitable[Metrics]]
TIMES = 10
SMALL_TOPIC = 10_000


async def _growth_of(variant: SizedVariant, count: int) -> Metrics:
    small, large = (await variant(count))["rate"], (await variant(count * TIMES))["rate"]
    return {"rate": small, f"rate at {TIMES} times as many": large, "exponent": 1 + log10(small / large)}


@asynccontextmanager
async def growth(servers: Servers) -> AsyncIterator[Bench]:
    """Exponents of other benches and of the feed."""
    async with AsyncExitStack() as stack:
        db, commits = await stack.enter_async_context(commit_variants(servers))
        outbox_read = OutboxReadVariants(await stack.enter_async_context(bench_database(servers, *LOG)))
        relay = await stack.enter_async_context(relaying(servers))
        worker = await stack.enter_async_context(worker_variants(servers))
        inbox_db = await stack.enter_async_context(bench_database(servers))
        feed = await stack.enter_async_context(feed_readers(servers))
        small_topic, large_topic = (
            await filled_topic(servers, SMALL_TOPIC),
            await filled_topic(servers, SMALL_TOPIC * TIMES),
        )
        bootstrap_servers = await servers.kafka_address()

        async def commit_with_outbox_of(count: int) -> Metrics:
            await db.fill_outbox(count)
            return await commits.kei(800)

        async def ingest(count: int) -> Metrics:
            topic = small_topic if count == SMALL_TOPIC else large_topic
            return await IngestVariants(inbox_db, bootstrap_servers, topic).kei(count)

        variants: dict[str, Variant] = {
            "commit: with 20,000 rows in the outbox": partial(_growth_of, commit_with_outbox_of, 20_000),
            "outbox-read: 10,000 rows assigned and marked": partial(_growth_of, outbox_read.relay, 10_000),
            "ingest: 10,000 records into the inbox": partial(_growth_of, ingest, SMALL_TOPIC),
            "relay-throughput: 10,000 rows relayed": partial(_growth_of, relay.kei, 10_000),
            "inbox-worker: 1,000 events, handler of single events": partial(
                _growth_of, partial(worker.kei, single_event_consumer()), 1_000
            ),
            "inbox-worker: 4,000 events, on_batch": partial(_growth_of, partial(worker.kei, batch_consumer()), 4_000),
            "feed: 1,000 events read by 5 concurrent partners": partial(_growth_of, feed.read, 5),
        }
        yield Bench("with ten times the rows or partners", variants, warm=0, at_most=2)
