"""A5a: from the outbox to Kafka, with a full outbox."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.harness import Bench, Goal, Metrics, running, watch
from bench.kafka_send import BATCH, batches
from bench.peer_outbox import LEFT, Peer
from bench.servers import Stage
from bench.world import SENT, Place, place, records, warmed
from shared.outbox import Relay
from shared.transport.kafka import KafkaTransport

COUNT = 20_000
PEER_COUNT = 6_000


class Relaying:
    """The ways from committed rows to acknowledged records."""

    def __init__(self, here: Place, peer: Peer, servers: str, topic: str) -> None:
        self.here, self.peers, self._servers, self.topic = here, peer, servers, topic
        self.transport = KafkaTransport(servers, "bench")

    async def kei(self, count: int = COUNT) -> Metrics:
        """`Relay.run` over `KafkaTransport`, until all is marked as sent."""
        await self.here.fill_outbox(count, self.topic)
        relay = Relay(self.here.database, self.transport)
        with watch() as clock:
            async with running(relay.run()):
                await self.here.until(SENT, count)
        return clock.per(count)

    async def batches_alone(self, count: int = COUNT) -> Metrics:
        """The same batches from memory, each acknowledged before the next."""
        pieces = batches(records(count), BATCH)
        with watch() as clock:
            for piece in pieces:
                await self.transport.send(self.topic, piece)
        return clock.per(count)

    async def peer(self) -> Metrics:
        """faststream-outbox with 16 workers, until its table is empty."""
        await self.peers.fill(records(PEER_COUNT))
        await self.here.settle()
        async with self.peers.connected(self._servers) as kafka:
            with watch() as clock:
                async with self.peers.relaying(kafka, self.topic):
                    await self.here.until(LEFT, 1)
                    clock.stop()
                    seen = clock.per(PEER_COUNT)
        return seen


@asynccontextmanager
async def relaying(stage: Stage) -> AsyncIterator[Relaying]:
    """A database and a topic with 8 partitions."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(stage))
        peer = Peer(here.url)
        stack.push_async_callback(peer.engine.dispose)
        await peer.prepare()
        ways = Relaying(here, peer, await stage.kafka(), await stage.topic())
        stack.push_async_callback(ways.transport.close)
        await warmed(ways.transport, ways.topic)
        yield ways


@asynccontextmanager
async def a5a(stage: Stage) -> AsyncIterator[Bench]:
    """Relay."""
    async with relaying(stage) as ways:
        yield Bench(
            "events from a full outbox to Kafka",
            {
                "kei: Relay over KafkaWire": ways.kei,
                "faststream-outbox, 16 workers": ways.peer,
                "batches of 500, no database": ways.batches_alone,
            },
            [
                Goal(
                    "A5a",
                    "events/s to faststream-outbox",
                    "kei: Relay over KafkaWire",
                    "faststream-outbox, 16 workers",
                    20,
                ),
                Goal(
                    "A5a",
                    "events/s to batches without a database",
                    "kei: Relay over KafkaWire",
                    "batches of 500, no database",
                    0.7,
                ),
            ],
        )
