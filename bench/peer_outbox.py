"""The peer of the relay: faststream-outbox, set up as its documentation says for throughput."""

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
LEFT = "SELECT 1 - count(*) FROM (SELECT FROM peer_outbox LIMIT 1) AS one"
"""1 as soon as nothing is left."""
_quiet = logging.getLogger("bench.peer")
_quiet.setLevel(logging.CRITICAL)


class Peer:
    """Its broker on a database of the bench."""

    def __init__(self, url: str) -> None:
        metadata = MetaData()
        self.table = make_outbox_table(metadata, table_name="peer_outbox")
        self._metadata = metadata
        self.engine: AsyncEngine = plain_engine(url, WORKERS + 10)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._broker = OutboxBroker(self.engine, outbox_table=self.table, logger=_quiet)

    async def prepare(self) -> None:
        """Make its table."""
        async with self.engine.begin() as connection:
            await connection.run_sync(self._metadata.create_all)

    async def fill(self, records: list[Record]) -> None:
        """Let these wait to be relayed."""
        async with self.sessions() as session, session.begin():
            await session.execute(self.table.delete())
            rows = [_row(record) for record in records]
            for at in range(0, len(rows), 1000):
                await session.execute(self.table.insert(), rows[at : at + 1000])

    async def commit(self, record: Record) -> None:
        """One event in a transaction of its own."""
        async with self.sessions() as session, session.begin():
            await self._broker.publish(
                record.value, queue=QUEUE, session=session, headers={"key": (record.key or b"").decode()}
            )

    @asynccontextmanager
    async def connected(self, servers: str) -> AsyncIterator[KafkaBroker]:
        """Its way to Kafka, which is open before any clock runs, as ours is."""
        kafka = KafkaBroker(servers, acks="all", enable_idempotence=True, logger=_quiet)
        await kafka.start()
        try:
            yield kafka
        finally:
            await kafka.stop()

    @asynccontextmanager
    async def relaying(self, kafka: KafkaBroker, topic: str) -> AsyncIterator[None]:
        """Relay to a topic with 16 workers, the key kept."""
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


async def _undecoded(message: Any) -> bytes:  # noqa: ANN401  likewise
    return bytes(message.body)
