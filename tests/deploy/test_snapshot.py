"""A snapshot is consistent: no commit falls between its databases, and writers wait only briefly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
import pytest

from deploy.backup import snapshot as cutting
from deploy.backup.archive import BackupError
from deploy.backup.catalogue import Connection
from deploy.backup.snapshot import BackupSide, snapshot
from deploy.databases import SERVICES
from deploy.migrate import MIGRATION_LOCK, upgrade
from tests.deploy import services_fixture
from tests.faults.report import count
from tests.support.waiting import eventually, passing

Create = Callable[[str], Awaitable[str]]
ROUNDS = count(8, 60)
pytestmark = pytest.mark.timeout(120)
TICK = "CREATE TABLE tick (n bigint PRIMARY KEY)"


@asynccontextmanager
async def connections(urls: Mapping[str, str]) -> AsyncIterator[list[Connection]]:
    made = [await asyncpg.connect(url) for url in urls.values()]
    try:
        yield made
    finally:
        for connection in made:
            await connection.close()


@asynccontextmanager
async def ticking(urls: Mapping[str, str]) -> AsyncIterator[None]:
    """A writer that inserts into one database after the other, each time after the previous commit."""
    async with connections(urls) as databases:

        async def tick() -> None:
            n = 0
            while True:
                n += 1
                for database in databases:
                    await database.execute("INSERT INTO tick VALUES ($1)", n)

        task = asyncio.create_task(tick())
        try:
            yield
        finally:
            await services_fixture.cancel(task)


async def ticks(sides: Sequence[BackupSide]) -> list[int]:
    return [await side.connection.fetchval("SELECT coalesce(max(n), 0) FROM tick") for side in sides]


def torn(seen: Sequence[int]) -> bool:
    """Whether a later database of a round has more ticks, or the previous round is incomplete."""
    return list(seen) != sorted(seen, reverse=True) or seen[0] - seen[-1] > 1


async def orphans(sides: Sequence[BackupSide]) -> int:
    """The number of events that a consumer has and its producer does not have."""
    logs = {side.service: {row[0] for row in await side.connection.fetch("SELECT id FROM outbox")} for side in sides}
    missing = 0
    for side in sides:
        for id, topic in await side.connection.fetch("SELECT event_id, topic FROM inbox"):
            missing += id not in logs[topic.split(".")[1]]
    return missing + len(logs["notifications"] - logs["members"] - logs["trainings"] - logs["matching"])


@pytest.fixture
async def urls(service_database: Create) -> dict[str, str]:
    made = await services_fixture.migrated_databases(service_database)
    for url in made.values():
        await services_fixture.run(url, TICK)
    return made


async def take_snapshots(urls: Mapping[str, str], rounds: int) -> tuple[int, int, float]:
    """Take snapshots: the number of torn ones, of orphaned events, and the longest block of writes in seconds."""
    torn_count, orphan_count, longest = 0, 0, 0.0
    for _ in range(rounds):
        async with snapshot(urls) as moment:
            torn_count += torn(await ticks(moment.sides))
            orphan_count += await orphans(moment.sides)
            longest = max(longest, moment.held_up)
    return torn_count, orphan_count, longest


async def test_no_commit_falls_between_the_snapshots(urls: dict[str, str]) -> None:
    async with services_fixture.running(urls) as made, ticking(urls):
        callers = made.callers()
        async with callers.calling(100):
            await eventually(lambda: len(callers.answered) > 20)
            answered_before = len(callers.answered)
            torn_count, orphan_count, longest = await take_snapshots(urls, ROUNDS)
            assert len(callers.answered) - answered_before > ROUNDS
        assert callers.failures + callers.refused == []
    assert (torn_count, orphan_count) == (0, 0)
    assert longest < 1.0


async def test_without_the_gate_it_would_be_torn(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_gate(_: BackupSide) -> None:
        """Block no writer."""

    async def look_later(side: BackupSide) -> None:
        await passing(0.03 * SERVICES.index(side.service))
        await side.connection.fetchval("SELECT 1")

    monkeypatch.setattr(cutting, "_stop_writers", open_gate)
    monkeypatch.setattr(cutting, "_read_catalogue", look_later)
    async with services_fixture.running(urls) as made, ticking(urls):
        callers = made.callers()
        async with callers.calling(100):
            await eventually(lambda: len(callers.answered) > 20)
            torn_count, orphan_count, _ = await take_snapshots(urls, ROUNDS)
    assert torn_count > ROUNDS / 2
    assert orphan_count > 0


async def test_a_long_transaction_holds_up_nobody_for_long(urls: dict[str, str]) -> None:
    async with services_fixture.running(urls) as made, connections(urls) as databases:
        callers = made.callers()
        async with callers.calling(50), databases[0].transaction():
            await databases[0].execute("INSERT INTO tick VALUES (1)")
            snapshot_task = asyncio.create_task(take_snapshots(urls, 1))
            await passing(3.0)
            await eventually(lambda: len(callers.answered) > 20)
            assert not snapshot_task.done()
        _, _, held_up = await snapshot_task
    assert 0.3 < held_up < 1.5
    assert callers.failures + callers.refused == []


async def test_a_vacuum_is_waited_for_and_nobody_waits_with_it(urls: dict[str, str]) -> None:
    async with connections(urls) as databases:
        async with databases[0].transaction():
            await databases[0].execute("LOCK TABLE inbox IN SHARE UPDATE EXCLUSIVE MODE")
            snapshot_task = asyncio.create_task(take_snapshots(urls, 1))
            started = monotonic()
            while monotonic() - started < 1.0:
                await databases[1].execute("INSERT INTO tick VALUES ($1)", int(monotonic() * 1e6))
            assert not snapshot_task.done()
        _, _, held_up = await snapshot_task
    assert held_up < 0.4


async def test_who_cannot_have_the_moment_says_why(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "RETRY_TIMEOUT", 0.5)
    async with connections(urls) as databases:
        await databases[2].fetch("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        with pytest.raises(BackupError, match=r"matching was in use for 0\.5 s, by a migration, another backup"):
            await take_snapshots(urls, 1)


async def test_no_migration_begins_while_a_backup_is_made(urls: dict[str, str]) -> None:
    async with snapshot(urls):
        migrating = asyncio.create_task(upgrade("members", urls["members"]))
        await passing(1.0)
        assert not migrating.done()
    await migrating


async def test_a_backup_that_goes_no_further_holds_up_nobody_for_long(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stand_still(side: BackupSide) -> None:
        await passing(4.0)
        await side.connection.fetchval("SELECT 1")

    monkeypatch.setattr(cutting, "_read_catalogue", stand_still)
    async with connections(urls) as databases:
        snapshot_task = asyncio.create_task(take_snapshots(urls, 1))
        stalls = []
        while not snapshot_task.done():
            started = monotonic()
            await databases[0].execute("INSERT INTO tick VALUES ($1)", int(started * 1e6))
            stalls.append(monotonic() - started)
    assert 0.5 < max(stalls) < 2.0
    with pytest.raises(BackupError, match="The database of members failed"):
        await snapshot_task
