"""Throughput of the relay: from a full outbox to Kafka."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.harness import Bench, Goal, Metrics, running, watch
from bench.kafka_send import BATCH, batches
from bench.peer_outbox import PEER_IS_EMPTY, PeerOutbox
from bench.servers import Servers
from bench.world import SENT, BenchDatabase, bench_database, records, warm_up
from shared.outbox import Relay
from shared.transport.kafka import KafkaTransport

COUNT = 20_000
PEER_COUNT = 6_000


class RelayVariants:
    """Variants of relaying committed rows to Kafka."""

    def __init__(self, db: BenchDatabase, peer: PeerOutbox, bootstrap_servers: str, topic: str) -> None:
        self.db, self.peer_outbox, self._bootstrap_servers, self.topic = db, peer, bootstrap_servers, topic
        self.transport = KafkaTransport(bootstrap_servers, "bench")

    async def kei(self, count: int = COUNT) -> Metrics:
        """`Relay.run` over `KafkaTransport`, until all rows are marked as sent."""
        await self.db.fill_outbox(count, self.topic)
        relay = Relay(self.db.database, self.transport)
        with watch() as clock:
            async with running(relay.run()):
                await self.db.wait_for(SENT, count)
        return clock.per(count)

    async def batches_alone(self, count: int = COUNT) -> Metrics:
        """The same batches from memory, each acknowledged before the next one is sent."""
        chunks = batches(records(count), BATCH)
        with watch() as clock:
            for chunk in chunks:
                await self.transport.send(self.topic, chunk)
        return clock.per(count)

    async def peer(self) -> Metrics:
        """faststream-outbox with 16 workers, until its table is empty."""
        await self.peer_outbox.fill(records(PEER_COUNT))
        await self.db.checkpoint()
        async with self.peer_outbox.connected(self._bootstrap_servers) as kafka:
            with watch() as clock:
                async with self.peer_outbox.relaying(kafka, self.topic):
                    await self.db.wait_for(PEER_IS_EMPTY, 1)
                    clock.stop()
                    metrics = clock.per(PEER_COUNT)
        return metrics


@asynccontextmanager
async def relaying(servers: Servers) -> AsyncIterator[RelayVariants]:
    """A database and a topic with 8 partitions."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(bench_database(servers))
        peer = PeerOutbox(db.url)
        stack.push_async_callback(peer.engine.dispose)
        await peer.prepare()
        variants = RelayVariants(db, peer, await servers.kafka_address(), await servers.create_topic())
        stack.push_async_callback(variants.transport.close)
        await warm_up(variants.transport, variants.topic)
        yield variants


@asynccontextmanager
async def relay_throughput_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Relays of a full outbox."""
    async with relaying(servers) as variants:
        yield Bench(
            "events from a full outbox to Kafka",
            {
                "kei: Relay over KafkaTransport": variants.kei,
                "faststream-outbox, 16 workers": variants.peer,
                "batches of 500, no database": variants.batches_alone,
            },
            [
                Goal(
                    "relay-throughput",
                    "events/s to faststream-outbox",
                    "kei: Relay over KafkaTransport",
                    "faststream-outbox, 16 workers",
                    20,
                ),
                Goal(
                    "relay-throughput",
                    "events/s to batches without a database",
                    "kei: Relay over KafkaTransport",
                    "batches of 500, no database",
                    0.7,
                ),
            ],
        )
