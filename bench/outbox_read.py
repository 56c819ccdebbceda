"""A2: reading the outbox without a transport: positions given and marked, beside a log that rewrites nothing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from bench.harness import Bench, Goal, Metrics, watch
from bench.servers import Stage
from bench.world import OUTBOX_COLUMNS, Place, as_row, events, place
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


class Reading:
    """The ways to read committed events in an order that misses none."""

    def __init__(self, here: Place) -> None:
        self._here = here

    async def relay(self, count: int = COUNT) -> Metrics:
        """The relay's statements: place a batch, mark it."""
        await self._here.fill_outbox(count)
        connection = await self._here.database.connect()
        try:
            epoch = await connection.fetchval("UPDATE outbox_relay SET epoch = epoch + 1 RETURNING epoch")
            log = _LeaderLog(connection, epoch, 0, 0)
            with watch() as clock:
                while rows := await log.next(BATCH):
                    await log.mark(rows[-1]["position"])
        finally:
            await connection.close()
        return clock.per(count)

    async def relay_beside_old_snapshot(self, count: int = COUNT) -> Metrics:
        """The same while somebody else has kept a snapshot since before the events."""
        async with _snapshot(self._here):
            return await self.relay(count)

    async def log(self, count: int = COUNT) -> Metrics:
        """The peer: read behind a cursor of (transaction, place), move the cursor."""
        await self._here.empty("log")
        rows = [as_row(event) for event in events(count)]
        await self._here.raw.copy_records_to_table("log", records=rows, columns=OUTBOX_COLUMNS)
        await self._here.settle()
        connection = await self._here.database.connect()
        try:
            xid, pos = "0", 0
            with watch() as clock:
                while found := await connection.fetch(_READ, xid, pos, BATCH):
                    xid, pos = found[-1]["xid"], found[-1]["pos"]
                    await connection.execute(_MOVE, xid, pos)
        finally:
            await connection.close()
        return clock.per(count)


@asynccontextmanager
async def _snapshot(here: Place) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await here.empty("outbox")  # its lock would have to wait for the reader
        reader = await asyncpg.connect(here.url)
        stack.push_async_callback(reader.close)
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await reader.fetchval("SELECT assigned FROM outbox_relay")
        yield
        await reader.execute("ROLLBACK")


@asynccontextmanager
async def a2(stage: Stage) -> AsyncIterator[Bench]:
    """Read and mark."""
    async with place(stage, *LOG) as here:
        ways = Reading(here)
        yield Bench(
            "events read from the outbox and marked, in batches of 500",
            {
                "kei: place + mark": ways.relay,
                "log of (xid, place), nothing rewritten": ways.log,
                "kei: beside an old snapshot": ways.relay_beside_old_snapshot,
            },
            [
                Goal(
                    "A2",
                    "rows/s to a log that rewrites nothing",
                    "kei: place + mark",
                    "log of (xid, place), nothing rewritten",
                    0.8,
                ),
                Goal(
                    "A2",
                    "rows/s beside an old snapshot, to none",
                    "kei: beside an old snapshot",
                    "kei: place + mark",
                    0.95,
                ),
            ],
            slices=3,
        )
