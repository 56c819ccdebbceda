"""Latency of the relay: from a commit to a consumer, at a constant rate (open loop)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.harness import Bench, Goal, Metrics, Variant, open_loop, percentile, running
from bench.relay_throughput import RelayVariants, relaying
from bench.servers import PARTITIONS, Servers
from bench.world import RedirectingTransport, capacity_changed, keys, stored_event
from shared import outbox
from shared.events.members import CapacityChanged
from shared.outbox import Relay, Waker
from tests.support.waiting import eventually

SLOW, FAST = (50, 200), (500, 1500)
"""Events a second, and their number."""
_DEADLINE = 60.0


class TopicListener:
    """Reads a topic from its end, without a group, and records the arrival of each event."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._arrived_at: dict[int, float] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_end(*self._partitions)
        try:
            async with running(self._listen()):
                yield
        finally:
            await self._consumer.stop()

    async def _listen(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=1000)
            now = perf_counter()
            for messages in batches.values():
                for message in messages:
                    self._arrived_at.setdefault(CapacityChanged.model_validate_json(message.value).mentor_capacity, now)

    async def latencies(self, sent_at: dict[int, float]) -> Metrics:
        """Percentiles in ms, once all have arrived."""
        await eventually(lambda: len(self._arrived_at) >= len(sent_at), deadline=_DEADLINE)
        values = [(self._arrived_at[number] - moment) * 1000 for number, moment in sent_at.items()]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}


Commit = Callable[[int], Awaitable[None]]


class LatencyVariants:
    """Variants of carrying an event from a commit to a consumer."""

    def __init__(self, relay_variants: RelayVariants, bootstrap_servers: str, topic: str) -> None:
        self._relay_variants, self._bootstrap_servers, self._topic = relay_variants, bootstrap_servers, topic
        self._keys = keys()

    async def kei(self, load: tuple[int, int]) -> Metrics:
        """`outbox.append`, commit, the relay woken in process."""
        database = self._relay_variants.db.database
        await self._relay_variants.db.fill_outbox(0)
        relay = Relay(database, RedirectingTransport(self._relay_variants.transport, self._topic))
        waker = Waker(database, relay)

        async def commit(number: int) -> None:
            async with database.transaction() as tx:
                outbox.append(tx, self._event_data(number), version=1)

        database.on_commit.append(waker)
        try:
            return await self._measure(load, commit, running(relay.run(), waker.run()))
        finally:
            database.on_commit.remove(waker)

    async def peer(self, load: tuple[int, int]) -> Metrics:
        """faststream-outbox: publish, commit, its workers woken by NOTIFY."""
        await self._relay_variants.peer_outbox.fill([])

        async def commit(number: int) -> None:
            await self._relay_variants.peer_outbox.commit(stored_event(self._event_data(number), 1).record())

        async with self._relay_variants.peer_outbox.connected(self._bootstrap_servers) as kafka:
            return await self._measure(load, commit, self._relay_variants.peer_outbox.relaying(kafka, self._topic))

    async def direct(self, load: tuple[int, int]) -> Metrics:
        """Aiokafka's `send` without a database."""
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap_servers, acks="all", enable_idempotence=True)
        await producer.start()

        async def send(number: int) -> None:
            record = stored_event(self._event_data(number), 1).record()
            await producer.send(self._topic, record.value, key=record.key, headers=list(record.headers))

        try:
            return await self._measure(load, send, running(), from_call=True)
        finally:
            await producer.stop()

    def _event_data(self, number: int) -> CapacityChanged:
        return capacity_changed(self._keys[number % len(self._keys)], number)

    async def _measure(
        self,
        load: tuple[int, int],
        commit: Commit,
        background: AbstractAsyncContextManager[None],
        *,
        from_call: bool = False,
    ) -> Metrics:
        rate, count = load
        listener = TopicListener(self._bootstrap_servers, self._topic)
        sent_at: dict[int, float] = {}

        async def timed(number: int) -> None:
            called_at = perf_counter()
            await commit(number)
            sent_at[number] = called_at if from_call else perf_counter()

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background)
            await stack.enter_async_context(listener.listening())
            await asyncio.sleep(0.5)  # until a relay leads and all are connected
            await open_loop(rate, count, timed)
            return await listener.latencies(sent_at)


@asynccontextmanager
async def relay_latency_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Latencies at two rates."""
    async with relaying(servers) as relay_variants:
        latencies = LatencyVariants(relay_variants, await servers.kafka_address(), relay_variants.topic)
        senders = {"kei": latencies.kei, "faststream-outbox": latencies.peer, "aiokafka send": latencies.direct}
        variants: dict[str, Variant] = {
            f"{name}, {load[0]}/s": partial(sender, load) for load in (SLOW, FAST) for name, sender in senders.items()
        }
        slow = partial(Goal, "relay-latency", ours="kei, 50/s", at_most=True, metric="p50")
        fast = partial(Goal, "relay-latency", ours="kei, 500/s", at_most=True, metric="p99")
        yield Bench(
            "ms from the commit (or the call of send) to a consumer",
            variants,
            [
                slow("p50 at 50/s to faststream-outbox", peer="faststream-outbox, 50/s", bound=0.4),
                fast("p99 at 500/s to faststream-outbox", peer="faststream-outbox, 500/s", bound=0.3),
                slow("p50 at 50/s to a direct send", peer="aiokafka send, 50/s", bound=1.2),
                fast("p99 at 500/s to a direct send", peer="aiokafka send, 500/s", bound=2.5),
            ],
            warm=0,
        )
