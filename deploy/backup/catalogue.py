"""Tables, sequences and partitions of a service's database, from PostgreSQL's catalogue, for any schema version."""

import re
from graphlib import TopologicalSorter
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
from pydantic import BaseModel

VERSION_TABLE = "alembic_version"
"""The table of migrations; a backup has its content as `revision`."""
RELAY_TABLE = "outbox_relay"
"""The table with the relay's progress; it always has one row."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_TABLES = """
    SELECT c.relname AS name,
           ARRAY(SELECT attname FROM pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                 ORDER BY attnum) AS columns,
           ARRAY(SELECT quote_ident(attname) || CASE WHEN attcollation = 0 THEN '' ELSE ' COLLATE "C"' END
                 FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (number, place), pg_attribute a
                 WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.number
                 ORDER BY k.place) AS key,
           ARRAY(SELECT DISTINCT p.relname FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid
                 WHERE f.conrelid = c.oid AND f.contype = 'f' AND p.oid <> c.oid ORDER BY p.relname) AS parents
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname
"""
_SEQUENCES = """
    SELECT t.relname AS table, a.attname AS column, pg_sequence_last_value(s.seqrelid) AS last
    FROM pg_sequence s
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid
                    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class t ON t.oid = d.refobjid
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE t.relnamespace = current_schema()::regnamespace ORDER BY t.relname, a.attname
"""
_PARTITIONS = """
    SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'outbox'::regclass ORDER BY c.relname
"""
_BOUNDS = re.compile(r"FOR VALUES FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)")


class Table(NamedTuple):
    """A table: its columns, and the expressions by which a backup sorts its rows."""

    name: str
    columns: list[str]
    key: list[str]


class Sequence(BaseModel, frozen=True):
    """The last value of a column's sequence."""

    table: str
    column: str
    last: int


class LogPartition(BaseModel, frozen=True):
    """A partition of the event log: `first` <= id < `end`."""

    name: str
    first: UUID
    end: UUID


def quoted(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


async def tables(connection: Connection) -> list[Table]:
    """The tables; referenced tables come first."""
    rows = {row["name"]: row for row in await connection.fetch(_TABLES)}
    order = TopologicalSorter({name: row["parents"] for name, row in rows.items()}).static_order()
    return [Table(name, rows[name]["columns"], rows[name]["key"]) for name in order]


async def sequences(connection: Connection) -> list[Sequence]:
    """The used sequences. They are not part of a snapshot; later reads return only higher values."""
    rows = await connection.fetch(_SEQUENCES)
    return [Sequence.model_validate(dict(row)) for row in rows if row["last"] is not None]


async def log_partitions(connection: Connection) -> list[LogPartition]:
    """The monthly partitions of the log, without the default partition, which migrations create."""
    rows = [(row["name"], _BOUNDS.fullmatch(row["bounds"])) for row in await connection.fetch(_PARTITIONS)]
    return [LogPartition(name=name, first=UUID(bounds[1]), end=UUID(bounds[2])) for name, bounds in rows if bounds]


async def revision(connection: Connection) -> str | None:
    """The revision of the schema; None if no migration has run."""
    if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
        return None
    current: str | None = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608  a constant
    return current
