"""A5d, A5e: the whole way from one database to another, over Kafka and over the local transport."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter
from uuid import uuid4

from bench.harness import Bench, Goal, Metrics, open_loop, percentile, running, watch
from bench.inbox_worker import NAME, PROJECTION, effect
from bench.ingest import nothing
from bench.relay_latency import SLOW, Delays
from bench.relay_throughput import Relaying, relaying
from bench.servers import Stage
from bench.world import SENT, TOPIC, Place, Renamed, Tap, fact, keys, place, warmed
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


class Ways:
    """Two databases and the transports between them."""

    def __init__(self, source: Place, sink: Place, stage: Stage) -> None:
        self._source, self._sink, self._stage = source, sink, stage

    async def to_inbox(self, *, kafka: bool, count: int = COUNT) -> Metrics:
        """A full outbox into an inbox."""
        await self._sink.empty("inbox")
        await self._source.fill_outbox(count)
        async with self._connected(nothing(), kafka=kafka) as (transport, tap, _):
            relay = Relay(self._source.database, transport)
            with watch() as clock:
                async with running(relay.run()):
                    await tap.until(count)
                    clock.stop()
                    seen = clock.per(count)
                    await self._source.until(SENT, count)
        return seen

    async def to_effect(self, load: tuple[int, int], *, kafka: bool) -> Metrics:
        """Ms from a commit to the commit of its effect."""
        rate, count = load
        await self._sink.empty("inbox", "outbox", "projection")
        await self._source.fill_outbox(0)
        begun, had, handled = dict[int, float](), dict[int, float](), list[int]()
        source, sink, aggregates = self._source.database, self._sink.database, keys()

        async def commit(number: int) -> None:
            async with source.transaction() as tx:
                outbox.append(tx, fact(aggregates[number % len(aggregates)], number), version=number + 1)
            begun[number] = perf_counter()

        def committed() -> None:
            had.update(dict.fromkeys(handled, perf_counter()))
            handled.clear()

        async with self._connected(_noting(handled), kafka=kafka) as (transport, _, worker):
            relay = Relay(source, transport)
            waker = Waker(source, relay)
            source.on_commit.append(waker)
            sink.on_commit.append(committed)
            async with running(relay.run(), waker.run(), worker.run()):
                await eventually(lambda: relay.leading)
                await open_loop(rate, count, commit)
                await eventually(lambda: len(had) >= count, deadline=60)
            source.on_commit.remove(waker)
            sink.on_commit.remove(committed)
        values = [(had[number] - moment) * 1000 for number, moment in begun.items()]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}

    @asynccontextmanager
    async def _connected(self, consumer: Consumer, *, kafka: bool) -> AsyncIterator[tuple[Transport, Tap, Worker]]:
        """A transport that runs, its group joined; what it delivers to; a worker that does not run yet."""
        inbox = Inbox(self._sink.database, consumer)
        name = f"bench-{uuid4().hex}"
        topic = await self._stage.topic() if kafka else TOPIC
        tap = Tap(inbox, topic, name)
        transport: Transport = KafkaTransport(await self._stage.kafka(), "bench") if kafka else LocalTransport()
        transport.attach(tap)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transport.close)
            await stack.enter_async_context(running(transport.run()))
            if kafka:
                await warmed(transport, topic)
                await tap.until(1)
                tap.again()
                await self._sink.empty("inbox")
            renamed: Transport = Renamed(transport, topic) if kafka else transport
            yield renamed, tap, Worker(self._sink.database, consumer, inbox)


def _noting(handled: list[int]) -> Consumer:
    """The two-statement handler of A5c, its events' numbers noted."""
    consumer = Consumer(NAME)

    @consumer.on(CapacityChanged)
    async def handle(tx: WriteSession, event: Event[CapacityChanged]) -> None:
        await effect(tx, event)
        handled.append(event.data.mentor_capacity)

    return consumer


@asynccontextmanager
async def _two(stage: Stage) -> AsyncIterator[Ways]:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(place(stage))
        sink = await stack.enter_async_context(place(stage, PROJECTION))
        yield Ways(source, sink, stage)


@asynccontextmanager
async def a5d(stage: Stage) -> AsyncIterator[Bench]:
    """To the inbox."""
    async with _two(stage) as ways:
        yield Bench(
            f"events from a full outbox into an inbox of another database ({COUNT:,} of them)",
            {KAFKA: partial(ways.to_inbox, kafka=True), LOCAL: partial(ways.to_inbox, kafka=False)},
            [Goal("A5d", "events/s to the local transport", KAFKA, LOCAL, 0.6)],
        )


@asynccontextmanager
async def a5e(stage: Stage) -> AsyncIterator[Bench]:
    """To the effect."""
    async with AsyncExitStack() as stack:
        ways = await stack.enter_async_context(_two(stage))
        alone: Relaying = await stack.enter_async_context(relaying(stage))
        delays = Delays(alone, await stage.kafka(), alone.topic)
        consumer = "kei: to a consumer only"
        over = partial(Goal, "A5e", ours=KAFKA, at_most=True, metric="p50")
        yield Bench(
            "ms from a commit to the commit of its effect in another database, at 50/s",
            {
                KAFKA: partial(ways.to_effect, SLOW, kafka=True),
                LOCAL: partial(ways.to_effect, SLOW, kafka=False),
                consumer: partial(delays.kei, SLOW),
            },
            [
                over("p50 to the local transport", peer=LOCAL, bound=1.6),
                over("p50 to commit → consumer", peer=consumer, bound=2.5),
            ],
            warm=0,
        )
