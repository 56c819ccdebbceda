"""The peer of the relay: faststream-outbox, configured for throughput as its documentation says."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from faststream.kafka import KafkaBroker, KafkaResponse
from faststream_outbox import OutboxBroker, make_outbox_table
from faststream_outbox.annotations import OutboxMessage
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from bench.commit import plain_engine
from shared.events.envelope import Record

WORKERS = 16
FETCH = 500
FLUSH = 100
QUEUE = "bench"
PEER_IS_EMPTY = "SELECT 1 - count(*) FROM (SELECT FROM peer_outbox LIMIT 1) AS remaining"
"""1 if the table is empty, otherwise 0."""
_quiet = logging.getLogger("bench.peer")
_quiet.setLevel(logging.CRITICAL)


class PeerOutbox:
    """A faststream-outbox broker on a database of the bench."""

    def __init__(self, url: str) -> None:
        metadata = MetaData()
        self.table = make_outbox_table(metadata, table_name="peer_outbox")
        self._metadata = metadata
        self.engine: AsyncEngine = plain_engine(url, WORKERS + 10)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._broker = OutboxBroker(self.engine, outbox_table=self.table, logger=_quiet)

    async def prepare(self) -> None:
        """Create the table."""
        async with self.engine.begin() as connection:
            await connection.run_sync(self._metadata.create_all)

    async def fill(self, records: list[Record]) -> None:
        """Replace the table's rows by these records."""
        async with self.sessions() as session, session.begin():
            await session.execute(self.table.delete())
            rows = [_row(record) for record in records]
            for start in range(0, len(rows), 1000):
                await session.execute(self.table.insert(), rows[start : start + 1000])

    async def commit(self, record: Record) -> None:
        """Publish one event in its own transaction."""
        async with self.sessions() as session, session.begin():
            await self._broker.publish(
                record.value, queue=QUEUE, session=session, headers={"key": (record.key or b"").decode()}
            )

    @asynccontextmanager
    async def connected(self, bootstrap_servers: str) -> AsyncIterator[KafkaBroker]:
        """Connect to Kafka; like Kei's transport, before any clock runs."""
        kafka = KafkaBroker(bootstrap_servers, acks="all", enable_idempotence=True, logger=_quiet)
        await kafka.start()
        try:
            yield kafka
        finally:
            await kafka.stop()

    @asynccontextmanager
    async def relaying(self, kafka: KafkaBroker, topic: str) -> AsyncIterator[None]:
        """Relay to a topic with 16 workers, with the same key."""
        broker = OutboxBroker(self.engine, outbox_table=self.table, logger=_quiet)

        async def relay(body: bytes, message: OutboxMessage) -> KafkaResponse:
            return KafkaResponse(body, key=message.headers["key"].encode())

        subscriber = broker.subscriber(
            QUEUE, max_workers=WORKERS, fetch_batch_size=FETCH, terminal_flush_batch_size=FLUSH, decoder=_undecoded
        )
        kafka.publisher(topic)(subscriber(relay))
        await broker.start()
        try:
            yield
        finally:
            await broker.stop()


def _row(record: Record) -> dict[str, Any]:
    headers = {"key": (record.key or b"").decode(), "correlation_id": "0"}
    return {"queue": QUEUE, "payload": record.value, "headers": headers}


async def _undecoded(message: Any) -> bytes:  # noqa: ANN401  the type of faststream's decoders
    return bytes(message.body)
