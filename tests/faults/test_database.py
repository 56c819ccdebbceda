"""A database that crashes, does not respond, is full or has no free connection."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from tests.faults.harness import FaultHarness, fault_harness
from tests.faults.proxy import Proxy, proxy
from tests.faults.report import count
from tests.support.own_postgres import OwnPostgres
from tests.support.run import Run
from tests.support.waiting import passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
Own = Callable[..., Awaitable[OwnPostgres]]
Transport = str | None


async def test_f20_postgresql_is_stopped_at_once(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path
) -> None:
    stops = count(4, 25)
    server = await own_postgres()
    async with fault_harness(server.create, transport, tmp_path) as harness:
        await harness.start_pair()
        async with harness.writing() as writers:
            for _ in range(stops):
                await passing(harness.rng.uniform(0.3, 1.0))
                await server.stop()
                await server.start()
        result = await harness.result("F20 PostgreSQL stopped at once", stops, writers, time.monotonic())
    assert writers.refused > 0
    result.settle(table)


async def test_f22_connections_are_dead_without_a_word(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path
) -> None:
    async with behind_proxy(await own_postgres(), transport, tmp_path) as (harness, door):
        await harness.start_pair()
        async with harness.writing() as writers:
            await passing(1.0)
            door.network.up = door.network.down = False
            await passing(count(12, 60))
            door.network.up = door.network.down = True
            healed = time.monotonic()
            await passing(1.0)
        result = await harness.result("F22 dead connections", door.held, writers, healed)
    result.settle(table)


async def test_f27_what_is_asked_arrives_and_the_answer_does_not(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path
) -> None:
    server, kafka = await own_postgres(), transport
    async with behind_proxy(server, kafka, tmp_path) as (harness, door):
        await harness.start_pair(lease=2.0)
        async with harness.writing() as writers:
            await passing(1.0)
            door.network.down = False
            await passing(count(12, 60))
            door.network.down = True
            healed = time.monotonic()
            await passing(1.0)
        result = await harness.result("F27 answers are lost", door.held, writers, healed)
    result.settle(table)


async def test_f28_the_way_to_the_database_is_slow_and_narrow(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path
) -> None:
    async with behind_proxy(await own_postgres(), transport, tmp_path) as (harness, door):
        await harness.start_pair()
        door.network.latency, door.network.bandwidth = 0.1, 125_000
        writers = harness.writers()
        await writers.write(count(200, 600))
        door.network.latency, door.network.bandwidth = 0.0, 0
        result = await harness.result("F28 200 ms, 1 Mbit/s", door.held, writers, time.monotonic())
    result.settle(table)


async def test_f23_the_disk_is_full(
    own_postgres: Own, transport: Transport, run: Run, table: Path, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with _small_disk(run.new_folder(), 160) as folder:
        server = await own_postgres(folder / "postgres", max_wal_size="64MB")
        async with fault_harness(server.create, transport, tmp_path) as harness:
            await harness.start_pair()
            async with harness.writing() as writers:
                await passing(1.0)
                ballast = folder / "ballast"
                before = writers.refused
                _fill(ballast)
                await passing(count(4, 30))
                refused = writers.refused - before
                ballast.unlink()
                await server.start()  # without space for its log it ends itself, as the deployment would start it again
                healed = time.monotonic()
                await passing(1.0)
            result = await harness.result("F23 disk full", refused, writers, healed)
    result.settle(table)


async def test_f24_there_is_no_connection_left(
    own_postgres: Own, transport: Transport, table: Path, tmp_path: Path
) -> None:
    server = await own_postgres(max_connections="40", superuser_reserved_connections="0")
    async with fault_harness(server.create, transport, tmp_path, pool=5) as harness:
        await harness.start_pair()
        async with harness.writing() as writers:
            await passing(1.0)
            held = await _hold_all(await server.create())
            await passing(count(6, 30))
            for connection in held:
                connection.terminate()
            healed = time.monotonic()
            await passing(1.0)
        result = await harness.result("F24 no connection left", len(held), writers, healed)
    result.settle(table)


@asynccontextmanager
async def behind_proxy(
    server: OwnPostgres, kafka: str | None, folder: Path
) -> AsyncIterator[tuple[FaultHarness, Proxy]]:
    async with proxy(lambda: asyncio.open_unix_connection(server.socket)) as door:

        def through(url: str) -> str:
            at = make_url(url).set(host="127.0.0.1", port=door.port, query={})
            return at.render_as_string(hide_password=False)

        async with fault_harness(server.create, kafka, folder, via=through) as harness:
            yield harness, door


async def _hold_all(url: str) -> "list[asyncpg.Connection[asyncpg.Record]]":
    """Take every free connection of the server."""
    held = []
    while True:
        try:
            held.append(await asyncpg.connect(url))
        except asyncpg.TooManyConnectionsError:
            return held


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of some megabytes on a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out:
        try:
            while out.write(bytes(64 * 1024)):
                pass
        except OSError:
            return
