"""The cut is exact: no commit falls between the snapshots, and nobody waits long for it."""

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
from deploy.migrate import MIGRATION_LOCK, SERVICES, upgrade
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
        for one in made:
            await one.close()


@asynccontextmanager
async def ticking(urls: Mapping[str, str]) -> AsyncIterator[None]:
    """Somebody who writes into one database after the other, each time when the one before has committed."""
    async with connections(urls) as doors:

        async def tick() -> None:
            n = 0
            while True:
                n += 1
                for door in doors:
                    await door.execute("INSERT INTO tick VALUES ($1)", n)

        task = asyncio.create_task(tick())
        try:
            yield
        finally:
            await services_fixture.cancelled(task)


async def ticks(sides: Sequence[BackupSide]) -> list[int]:
    return [await side.connection.fetchval("SELECT coalesce(max(n), 0) FROM tick") for side in sides]


def torn(seen: Sequence[int]) -> bool:
    """Whether somebody who came later in a round is further, or the round before is not whole."""
    return list(seen) != sorted(seen, reverse=True) or seen[0] - seen[-1] > 1


async def orphans(sides: Sequence[BackupSide]) -> int:
    """Events that a consumer has and their producer's copy has not."""
    logs = {side.service: {row[0] for row in await side.connection.fetch("SELECT id FROM outbox")} for side in sides}
    found = 0
    for side in sides:
        for id, topic in await side.connection.fetch("SELECT event_id, topic FROM inbox"):
            found += id not in logs[topic.split(".")[1]]
    return found + len(logs["notifications"] - logs["members"] - logs["trainings"] - logs["matching"])


@pytest.fixture
async def urls(service_database: Create) -> dict[str, str]:
    made = await services_fixture.empty(service_database)
    for url in made.values():
        await services_fixture.run(url, TICK)
    return made


async def looked(urls: Mapping[str, str], rounds: int) -> tuple[int, int, float]:
    """Over some cuts: how many were torn, how many events were orphans, and the longest hold-up."""
    wrong, lonely, longest = 0, 0, 0.0
    for _ in range(rounds):
        async with snapshot(urls) as moment:
            wrong += torn(await ticks(moment.sides))
            lonely += await orphans(moment.sides)
            longest = max(longest, moment.held_up)
    return wrong, lonely, longest


async def test_no_commit_falls_between_the_snapshots(urls: dict[str, str]) -> None:
    async with services_fixture.running(urls) as made, ticking(urls):
        callers = made.callers()
        async with callers.calling(100):
            await eventually(lambda: len(callers.answered) > 20)
            begun = len(callers.answered)
            wrong, lonely, longest = await looked(urls, ROUNDS)
            assert len(callers.answered) - begun > ROUNDS
        assert callers.failures + callers.refused == []
    assert (wrong, lonely) == (0, 0)
    assert longest < 1.0


async def test_without_the_gate_it_would_be_torn(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_gate(_: BackupSide) -> None:
        """Keep nobody out."""

    async def look_later(side: BackupSide) -> None:
        await passing(0.03 * SERVICES.index(side.service))
        await side.connection.fetchval("SELECT 1")

    monkeypatch.setattr(cutting, "_stop_writers", open_gate)
    monkeypatch.setattr(cutting, "_read_catalogue", look_later)
    async with services_fixture.running(urls) as made, ticking(urls):
        callers = made.callers()
        async with callers.calling(100):
            await eventually(lambda: len(callers.answered) > 20)
            wrong, lonely, _ = await looked(urls, ROUNDS)
    assert wrong > ROUNDS / 2
    assert lonely > 0


async def test_a_long_transaction_holds_up_nobody_for_long(urls: dict[str, str]) -> None:
    async with services_fixture.running(urls) as made, connections(urls) as doors:
        callers = made.callers()
        async with callers.calling(50), doors[0].transaction():
            await doors[0].execute("INSERT INTO tick VALUES (1)")
            trying = asyncio.create_task(looked(urls, 1))
            await passing(3.0)
            await eventually(lambda: len(callers.answered) > 20)
            assert not trying.done()
        _, _, held_up = await trying
    assert 0.3 < held_up < 1.5
    assert callers.failures + callers.refused == []


async def test_a_vacuum_is_waited_for_and_nobody_waits_with_it(urls: dict[str, str]) -> None:
    async with connections(urls) as doors:
        async with doors[0].transaction():
            await doors[0].execute("LOCK TABLE inbox IN SHARE UPDATE EXCLUSIVE MODE")
            trying = asyncio.create_task(looked(urls, 1))
            begun = monotonic()
            while monotonic() - begun < 1.0:
                await doors[1].execute("INSERT INTO tick VALUES ($1)", int(monotonic() * 1e6))
            assert not trying.done()
        _, _, held_up = await trying
    assert held_up < 0.4


async def test_who_cannot_have_the_moment_says_why(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "RETRY_TIMEOUT", 0.5)
    async with connections(urls) as doors:
        await doors[2].fetch("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        with pytest.raises(BackupError, match=r"matching was in use for 0\.5 s, by a migration, another backup"):
            await looked(urls, 1)


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
    async with connections(urls) as doors:
        trying = asyncio.create_task(looked(urls, 1))
        stalls = []
        while not trying.done():
            begun = monotonic()
            await doors[0].execute("INSERT INTO tick VALUES ($1)", int(begun * 1e6))
            stalls.append(monotonic() - begun)
    assert 0.5 < max(stalls) < 2.0
    with pytest.raises(BackupError, match="The database of members failed"):
        await trying
