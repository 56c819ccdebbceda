"""F34: a large table is migrated while the previous version serves requests and a long read holds it."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.migrate import upgrade
from tests.faults.deployment import Instance, client, running
from tests.faults.http_clients import Callers, read
from tests.faults.report import count
from tests.support.connection import Connection, database_connection
from tests.support.kei import ROOT
from tests.support.run import Run
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

HELD = 6.0
"""Seconds that the reader holds the table: longer than requests wait for a lock."""
STEPS = {
    "expand": ["ALTER TABLE cluster ADD COLUMN motto text"],
    "expand_log": ["ALTER TABLE outbox ADD COLUMN remark text"],
    "index": ["DROP INDEX CONCURRENTLY IF EXISTS ix_motto", "CREATE INDEX CONCURRENTLY ix_motto ON cluster (motto)"],
    "contract": ["ALTER TABLE cluster DROP COLUMN motto"],
}
_STEP = """
from contextlib import nullcontext
from alembic import op

revision, down_revision = "members_{number:04}", "members_{before:04}"
branch_labels = depends_on = None


def upgrade():
    with op.get_context().autocommit_block() if {alone} else nullcontext():
        for statement in {statements}:
            op.execute(statement)
"""
_MANY = """
    INSERT INTO cluster SELECT many.*
    FROM (SELECT cluster AS one FROM cluster LIMIT 1) AS first, generate_series(1, $1::int) AS n, jsonb_populate_record(
        one, jsonb_build_object('id', gen_random_uuid(), 'slug', 'copy-' || n, 'name', 'Copy ' || n)) AS many
"""
_WAITING = """
    SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database()
                   AND NOT granted AND mode = 'AccessExclusiveLock' AND locktype = 'relation')
"""
_ALL_SENT = "SELECT sent = (SELECT count(*) FROM outbox) FROM outbox_relay"


@pytest.fixture
async def old(
    service_database: Callable[[str], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A database of members at an earlier revision, with migrations still to run."""
    url = await service_database("members")
    migrations = tmp_path / "services" / "members" / "migrations"
    shutil.copytree(ROOT / "services" / "members" / "migrations", migrations, ignore=shutil.ignore_patterns("__*"))
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    newest = len(list(migrations.iterdir()))
    for number, (name, statements) in enumerate(STEPS.items(), newest + 1):
        alone = any("CONCURRENTLY" in statement for statement in statements)
        step = _STEP.format(number=number, before=number - 1, alone=alone, statements=statements)
        (migrations / f"{number:04}_{name}.py").write_text(step)
    monkeypatch.setattr("deploy.migrate._ROOT", tmp_path)
    return url


async def test_f34_a_big_table_changes_under_traffic(old: str, run: Run, table: Path) -> None:
    waits = [False]
    instance = Instance("members", old, run.new_folder())
    async with (
        running(instance),
        client(instance.url) as http,
        database_connection(old) as reader,
        database_connection(old) as watch,
    ):
        callers = Callers(http.request)
        async with callers.calling():
            await eventually(lambda: len(callers.answered) > 10)
            await reader.execute(_MANY, count(100_000, 1_000_000))
            async with reader.transaction(), _watching(watch, waits):
                await reader.fetch("SELECT count(*) FROM cluster")
                steps = asyncio.gather(*(upgrade("members", old) for _ in range(2)))  # as two replicas might
                await passing(HELD)
            healed = time.monotonic()
            await steps
            recovery = time.monotonic() - healed
        await eventually(lambda: watch.fetchval(_ALL_SENT))
        log = await read(http.request, "/ops/events")
    given_up = sum(before and not after for before, after in pairwise(waits))
    fault = f"F34 {len(STEPS)} steps, {given_up} times given up"
    result = callers.result(fault, "local", len(STEPS) + given_up, log, log, recovery)
    result.settle(table)
    assert callers.failures + callers.refused == []
    assert given_up > 0, "no step gave way to those who wait behind it"


@asynccontextmanager
async def _watching(connection: Connection, waits: list[bool]) -> AsyncIterator[None]:
    """Record until the block ends whether a step waits for a table lock."""

    async def watch() -> None:
        while True:
            waits.append(await connection.fetchval(_WAITING))
            await passing(0.05)

    watching = asyncio.create_task(watch())
    yield
    watching.cancel()
    await asyncio.wait([watching])
