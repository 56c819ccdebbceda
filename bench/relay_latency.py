"""A5b: from a commit to a consumer that has the event, at steady rates, whether or not the last one has arrived."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from time import perf_counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.harness import Bench, Goal, Metrics, Variant, open_loop, percentile, running
from bench.relay_throughput import Relaying, relaying
from bench.servers import PARTITIONS, Stage
from bench.world import Renamed, fact, keys, stored
from shared import outbox
from shared.events.members import CapacityChanged
from shared.outbox import Relay, Waker
from tests.support.waiting import eventually

SLOW, FAST = (50, 200), (500, 1500)
"""Events a second, and how many."""
_DEADLINE = 60.0


class Listener:
    """Reads a topic from its end on, as a member of no group, and notes when it had which event."""

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers)
        self._parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._had: dict[int, float] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """From here on, until the block ends."""
        await self._consumer.start()
        self._consumer.assign(self._parts)
        await self._consumer.seek_to_end(*self._parts)
        try:
            async with running(self._listen()):
                yield
        finally:
            await self._consumer.stop()

    async def _listen(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=1000)
            now = perf_counter()
            for messages in found.values():
                for message in messages:
                    self._had.setdefault(CapacityChanged.model_validate_json(message.value).mentor_capacity, now)

    async def delays(self, begun: dict[int, float]) -> Metrics:
        """Percentiles in ms, once all have arrived."""
        await eventually(lambda: len(self._had) >= len(begun), deadline=_DEADLINE)
        values = [(self._had[number] - moment) * 1000 for number, moment in begun.items()]
        return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}


Commit = Callable[[int], Awaitable[None]]


class Delays:
    """The ways an event may take, each as something that commits and something that runs meanwhile."""

    def __init__(self, ways: Relaying, servers: str, topic: str) -> None:
        self._ways, self._servers, self._topic = ways, servers, topic
        self._keys = keys()

    async def kei(self, load: tuple[int, int]) -> Metrics:
        """`outbox.put`, commit, the relay woken in process."""
        database = self._ways.here.database
        await self._ways.here.fill_outbox(0)
        relay = Relay(database, Renamed(self._ways.transport, self._topic))
        waker = Waker(database, relay)

        async def commit(number: int) -> None:
            async with database.transaction() as tx:
                outbox.append(tx, self._fact(number), version=1)

        database.on_commit.append(waker)
        try:
            return await self._measured(load, commit, running(relay.run(), waker.run()))
        finally:
            database.on_commit.remove(waker)

    async def peer(self, load: tuple[int, int]) -> Metrics:
        """faststream-outbox: publish, commit, woken by its NOTIFY."""
        await self._ways.peers.fill([])

        async def commit(number: int) -> None:
            await self._ways.peers.commit(stored(self._fact(number), 1).record())

        async with self._ways.peers.connected(self._servers) as kafka:
            return await self._measured(load, commit, self._ways.peers.relaying(kafka, self._topic))

    async def direct(self, load: tuple[int, int]) -> Metrics:
        """No database: aiokafka's `send`, at once."""
        producer = AIOKafkaProducer(bootstrap_servers=self._servers, acks="all", enable_idempotence=True)
        await producer.start()

        async def send(number: int) -> None:
            record = stored(self._fact(number), 1).record()
            await producer.send(self._topic, record.value, key=record.key, headers=list(record.headers))

        try:
            return await self._measured(load, send, running(), before=True)
        finally:
            await producer.stop()

    def _fact(self, number: int) -> CapacityChanged:
        return fact(self._keys[number % len(self._keys)], number)

    async def _measured(
        self,
        load: tuple[int, int],
        commit: Commit,
        meanwhile: AbstractAsyncContextManager[None],
        *,
        before: bool = False,
    ) -> Metrics:
        rate, count = load
        listener = Listener(self._servers, self._topic)
        begun: dict[int, float] = {}

        async def timed(number: int) -> None:
            at = perf_counter()
            await commit(number)
            begun[number] = at if before else perf_counter()

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(meanwhile)
            await stack.enter_async_context(listener.listening())
            await asyncio.sleep(0.5)  # until a relay leads and everybody is connected
            await open_loop(rate, count, timed)
            return await listener.delays(begun)


@asynccontextmanager
async def a5b(stage: Stage) -> AsyncIterator[Bench]:
    """Delays."""
    async with relaying(stage) as ways:
        delays = Delays(ways, await stage.kafka(), ways.topic)
        kinds = {"kei": delays.kei, "faststream-outbox": delays.peer, "aiokafka send": delays.direct}
        variants: dict[str, Variant] = {
            f"{name}, {load[0]}/s": partial(way, load) for load in (SLOW, FAST) for name, way in kinds.items()
        }
        slow = partial(Goal, "A5b", ours="kei, 50/s", at_most=True, metric="p50")
        fast = partial(Goal, "A5b", ours="kei, 500/s", at_most=True, metric="p99")
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
