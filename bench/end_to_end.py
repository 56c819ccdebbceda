"""End to end, from one database to another: throughput and latency over Kafka and over the local transport."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from uuid import uuid4

from bench.harness import Bench, Goal, Metrics, open_loop, percentile, running, watch
from bench.inbox_worker import NAME, PROJECTION, effect
from bench.ingest import ignoring_consumer
from bench.relay_latency import SLOW, LatencyVariants
from bench.relay_throughput import RelayVariants, relaying
from bench.servers import Servers
from bench.world import (
    SENT,
    TOPIC,
    BenchDatabase,
    CountingReceiver,
    RedirectingTransport,
    bench_database,
    capacity_changed,
    keys,
    warm_up,
)
from shared import outbox
from shared.db import WriteSession
from shared.events.envelope import Event
from shared.events.members import CapacityChanged
from shared.inbox import Consumer, Inbox, Worker
from shared.outbox import Relay, Waker
from shared.transport import Transport
from shared.transport.kafka import KafkaTransport
from shared.transport.local import LocalTransport
from tests.support.waiting import eventually

COUNT = 20_000
KAFKA, LOCAL = "kei: over Kafka", "kei: over the local transport"


class EndToEndVariants:
    """Variants of carrying events from one database to another."""

    def __init__(self, source: BenchDatabase, sink: BenchDatabase, servers: Servers) -> None:
        self._source, self._sink, self._servers = source, sink, servers

    async def to_inbox(self, *, kafka: bool, count: int = COUNT) -> Metrics:
        """Move a full outbox into an inbox."""
        await self._sink.empty("inbox")
        await self._source.fill_outbox(count)
        async with self._connected(ignoring_consumer(), kafka=kafka) as (transport, receiver, _):
            relay = Relay(self._source.database, transport)
            with watch() as clock:
                async with running(relay.run()):
                    await receiver.wait_for(count)
                    clock.stop()
                    metrics = clock.per(count)
                    await self._source.wait_for(SENT, count)
        return metrics

    async def to_effect(self, load: tuple[int, int], *, kafka: bool) -> Metrics:
        """Milliseconds from a commit to the commit of its effect."""
        rate, count = load
        await self._sink.empty("inbox", "outbox", "projection")
        await self._source.fill_outbox(0)
        committed_at, handled_at, uncommitted = dict[int, float](), dict[int, float](), list[int]()
        source, sink, aggregates = self._source.database, self._sink.database, keys()

        async def commit(number: int) -> None:
            async with source.transaction() as tx:
                outbox.append(tx, capacity_changed(aggregates[number % len(aggregates)], number), version=number + 1)
            committed_at[number] = perf_counter()

        def record_commit() -> None:
            handled_at.update(dict.fromkeys(uncommitted, perf_counter()))
            uncommitted.clear()

        async with self._connected(_recording_consumer(uncommitted), kafka=kafka) as (transport, _, worker):
            relay = Relay(source, transport)
            waker = Waker(source, relay)
            source.on_commit.append(waker)
            sink.on_commit.append(record_commit)
            async with running(relay.run(), waker.run(), worker.run()):
                await eventually(lambda: relay.leading)
                await open_loop(rate, count, commit)
                await eventually(lambda: len(handled_at) >= count, deadline=60)
            source.on_commit.remove(waker)
            sink.on_commit.remove(record_commit)
        values = [(handled_at[number] - moment) * 1000 for number, moment in committed_at.items()]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}

    @asynccontextmanager
    async def _connected(
        self, consumer: Consumer, *, kafka: bool
    ) -> AsyncIterator[tuple[Transport, CountingReceiver, Worker]]:
        """A running transport whose group has joined, its receiver, and a worker that is not started."""
        inbox = Inbox(self._sink.database, consumer)
        name = f"bench-{uuid4().hex}"
        topic = await self._servers.create_topic() if kafka else TOPIC
        receiver = CountingReceiver(inbox, topic, name)
        transport: Transport = (
            KafkaTransport(await self._servers.kafka_address(), "bench") if kafka else LocalTransport()
        )
        transport.attach(receiver)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transport.close)
            await stack.enter_async_context(running(transport.run()))
            if kafka:
                await warm_up(transport, topic)
                await receiver.wait_for(1)
                receiver.reset()
                await self._sink.empty("inbox")
            redirected: Transport = RedirectingTransport(transport, topic) if kafka else transport
            yield redirected, receiver, Worker(self._sink.database, consumer, inbox)


def _recording_consumer(uncommitted: list[int]) -> Consumer:
    """A consumer with the effect of inbox-worker that records the numbers of handled events."""
    consumer = Consumer(NAME)

    @consumer.on(CapacityChanged)
    async def handle(tx: WriteSession, event: Event[CapacityChanged]) -> None:
        await effect(tx, event)
        uncommitted.append(event.data.mentor_capacity)

    return consumer


@asynccontextmanager
async def _two_databases(servers: Servers) -> AsyncIterator[EndToEndVariants]:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(bench_database(servers))
        sink = await stack.enter_async_context(bench_database(servers, PROJECTION))
        yield EndToEndVariants(source, sink, servers)


@asynccontextmanager
async def throughput_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Throughput from an outbox into an inbox."""
    async with _two_databases(servers) as variants:
        yield Bench(
            f"events from a full outbox into an inbox of another database ({COUNT:,} of them)",
            {KAFKA: partial(variants.to_inbox, kafka=True), LOCAL: partial(variants.to_inbox, kafka=False)},
            [Goal("end-to-end-throughput", "events/s to the local transport", KAFKA, LOCAL, 0.6)],
        )


@asynccontextmanager
async def latency_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Latency from a commit to the commit of its effect."""
    async with AsyncExitStack() as stack:
        variants = await stack.enter_async_context(_two_databases(servers))
        relay_variants: RelayVariants = await stack.enter_async_context(relaying(servers))
        latencies = LatencyVariants(relay_variants, await servers.kafka_address(), relay_variants.topic)
        consumer = "kei: to a consumer only"
        goal = partial(Goal, "end-to-end-latency", ours=KAFKA, at_most=True, metric="p50")
        yield Bench(
            "ms from a commit to the commit of its effect in another database, at 50/s",
            {
                KAFKA: partial(variants.to_effect, SLOW, kafka=True),
                LOCAL: partial(variants.to_effect, SLOW, kafka=False),
                consumer: partial(latencies.kei, SLOW),
            },
            [
                goal("p50 to the local transport", peer=LOCAL, bound=1.6),
                goal("p50 to commit → consumer", peer=consumer, bound=2.5),
            ],
            warm=0,
        )
