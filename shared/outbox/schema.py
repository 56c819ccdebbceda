"""The tables of the outbox and its monthly partitions. Ids are UUIDv7, so a range of ids is a period."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Database, WriteSession

OUTBOX_V1 = (
    """
    CREATE TABLE outbox (
        id uuid NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        position bigint,
        topic text NOT NULL,
        type text NOT NULL,
        source text NOT NULL,
        key uuid NOT NULL,
        version bigint NOT NULL CHECK (version > 0),
        time timestamptz NOT NULL,
        traceparent text,
        data bytea NOT NULL CHECK (octet_length(data) <= 65536),
        CONSTRAINT pk_outbox PRIMARY KEY (id)
    ) PARTITION BY RANGE (id)
    """,
    "CREATE TABLE outbox_other PARTITION OF outbox DEFAULT",
    "CREATE INDEX ix_outbox_unplaced ON outbox (seq) WHERE position IS NULL",
    "CREATE INDEX ix_outbox_position ON outbox (position)",
    """
    CREATE TABLE outbox_relay (
        one boolean CONSTRAINT pk_outbox_relay PRIMARY KEY DEFAULT true CHECK (one),
        epoch bigint NOT NULL DEFAULT 0,
        holder text NOT NULL DEFAULT '',
        assigned bigint NOT NULL DEFAULT 0,
        sent bigint NOT NULL DEFAULT 0 CHECK (sent <= assigned),
        beat_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "INSERT INTO outbox_relay DEFAULT VALUES",
)
"""The statements that create the outbox. Migrations run them, so they never change; a change is a later constant."""

OUTBOX_V2 = (
    "ALTER INDEX ix_outbox_unplaced RENAME TO ix_outbox_unassigned",
    "ALTER TABLE outbox_relay RENAME COLUMN one TO singleton",
    "ALTER TABLE outbox_relay RENAME COLUMN beat_at TO heartbeat_at",
)
"""Clearer names."""

_log = structlog.get_logger(__name__)


def _month(day: datetime, ahead: int) -> datetime:
    months = day.year * 12 + day.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of `moment` or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


async def maintain_partitions(database: Database, now: datetime, retention_days: int | None = None) -> None:
    """Create the partitions of this month and the next two; drop those whose last day is over `retention_days` old.

    A partition with an unsent event is never dropped. If the log is too busy to be locked, the step is skipped.
    """
    for ahead in range(3):
        start, end = _month(now, ahead), _month(now, ahead + 1)
        name = f"outbox_{start:%Y_%m}"
        try:
            async with database.transaction() as tx:
                if not await _exists(tx, name):
                    await _lock(tx)
                    await _create_partition(tx, name, first_id(start), first_id(end))
        except DBAPIError as error:
            _log.warning("outbox partition not created", partition=name, reason=str(error.orig))
    if retention_days is not None:
        try:
            async with database.transaction() as tx:
                await _drop_old_partitions(tx, now - timedelta(days=retention_days))
        except DBAPIError as error:
            _log.warning("old outbox partitions not dropped", reason=str(error.orig))


async def _exists(tx: WriteSession, name: str) -> bool:
    return await tx.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None


async def _lock(tx: WriteSession) -> None:
    """Lock the log until the commit; give up after a second, since writers queue behind this lock."""
    await tx.execute(text("SET LOCAL lock_timeout = '1s'"))
    await tx.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))


async def _create_partition(tx: WriteSession, name: str, start: UUID, end: UUID) -> None:
    """Create and attach a partition. Events of its period move in first: they would prevent the attachment."""
    if await _exists(tx, name):  # another replica was faster
        return
    move = f"""
        WITH moved AS (DELETE FROM outbox_other WHERE id >= :start AND id < :end RETURNING *)
        INSERT INTO {name} SELECT * FROM moved
    """  # noqa: S608  the name consists of a year and a month
    await tx.execute(text(f"CREATE TABLE {name} (LIKE outbox INCLUDING CONSTRAINTS INCLUDING INDEXES)"))
    await tx.execute(text(move), {"start": start, "end": end})
    await tx.execute(text(f"ALTER TABLE outbox ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')"))


async def _drop_old_partitions(tx: WriteSession, before: datetime) -> None:
    names = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox'::regclass")
    for name in (await tx.scalars(names)).all():
        year, _, month = name.removeprefix("outbox_").partition("_")
        if not (year.isdigit() and month.isdigit()):
            continue
        if _month(datetime(int(year), int(month), 1, tzinfo=UTC), 1) > before:
            continue
        await _lock(tx)  # before the check: an old event may be forwarded at this moment
        unsent = "SELECT 1 FROM {0} WHERE position IS NULL OR position > (SELECT sent FROM outbox_relay) LIMIT 1"
        if await tx.scalar(text(unsent.format(name))) is None:
            await tx.execute(text(f"DROP TABLE {name}"))
    delete_rest = text("DELETE FROM outbox_other WHERE id < :bound AND position <= (SELECT sent FROM outbox_relay)")
    await tx.execute(delete_rest, {"bound": first_id(before)})
