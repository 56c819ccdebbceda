"""Reading the outbox without a transport: assign positions and mark them sent, compared with a log without updates."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from bench.harness import Bench, Goal, Metrics, watch
from bench.servers import Servers
from bench.world import OUTBOX_COLUMNS, BenchDatabase, as_row, bench_database, events
from shared.outbox.relay import _LeaderLog

COUNT = 20_000
BATCH = 500
LOG = (
    """
    CREATE TABLE log (
        id uuid PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), pos bigint GENERATED ALWAYS AS IDENTITY,
        topic text NOT NULL, type text NOT NULL, source text NOT NULL, key uuid NOT NULL, version bigint NOT NULL,
        time timestamptz NOT NULL, traceparent text, data bytea NOT NULL
    )
    """,
    "CREATE INDEX ix_log ON log (xid, pos)",
    "CREATE TABLE log_cursor (xid xid8 NOT NULL, pos bigint NOT NULL)",
    "INSERT INTO log_cursor VALUES ('0', 0)",
)
_READ = """
    SELECT xid::text, pos, topic, id, type, source, key, version, time, traceparent, data FROM log
    WHERE (xid, pos) > ($1::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, pos LIMIT $3
"""
_MOVE = "UPDATE log_cursor SET xid = $1::text::xid8, pos = $2"


class OutboxReadVariants:
    """Variants of reading committed events in an order that misses none."""

    def __init__(self, db: BenchDatabase) -> None:
        self._db = db

    async def relay(self, count: int = COUNT) -> Metrics:
        """The statements of the relay: assign positions to a batch, mark it as sent."""
        await self._db.fill_outbox(count)
        connection = await self._db.database.connect()
        try:
            epoch = await connection.fetchval("UPDATE outbox_relay SET epoch = epoch + 1 RETURNING epoch")
            log = _LeaderLog(connection, epoch, 0, 0)
            with watch() as clock:
                while rows := await log.next(BATCH):
                    await log.mark(rows[-1]["position"])
        finally:
            await connection.close()
        return clock.per(count)

    async def relay_with_old_snapshot(self, count: int = COUNT) -> Metrics:
        """The same while another transaction holds a snapshot that is older than the events."""
        async with _hold_snapshot(self._db):
            return await self.relay(count)

    async def log(self, count: int = COUNT) -> Metrics:
        """The peer: read after a cursor of (transaction, position), advance the cursor."""
        await self._db.empty("log")
        rows = [as_row(event) for event in events(count)]
        await self._db.raw.copy_records_to_table("log", records=rows, columns=OUTBOX_COLUMNS)
        await self._db.checkpoint()
        connection = await self._db.database.connect()
        try:
            xid, pos = "0", 0
            with watch() as clock:
                while batch := await connection.fetch(_READ, xid, pos, BATCH):
                    xid, pos = batch[-1]["xid"], batch[-1]["pos"]
                    await connection.execute(_MOVE, xid, pos)
        finally:
            await connection.close()
        return clock.per(count)


@asynccontextmanager
async def _hold_snapshot(db: BenchDatabase) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await db.empty("outbox")  # TRUNCATE would wait for the reader
        reader = await asyncpg.connect(db.url)
        stack.push_async_callback(reader.close)
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await reader.fetchval("SELECT assigned FROM outbox_relay")
        yield
        await reader.execute("ROLLBACK")


@asynccontextmanager
async def outbox_read_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Reads of the outbox."""
    async with bench_database(servers, *LOG) as db:
        variants = OutboxReadVariants(db)
        yield Bench(
            "events read from the outbox and marked, in batches of 500",
            {
                "kei: assign + mark": variants.relay,
                "log of (xid, position), no updates": variants.log,
                "kei: with an old snapshot": variants.relay_with_old_snapshot,
            },
            [
                Goal(
                    "outbox-read",
                    "rows/s to a log without updates",
                    "kei: assign + mark",
                    "log of (xid, position), no updates",
                    0.8,
                ),
                Goal(
                    "outbox-read",
                    "rows/s with an old snapshot, to none",
                    "kei: with an old snapshot",
                    "kei: assign + mark",
                    0.95,
                ),
            ],
            slices=3,
        )
