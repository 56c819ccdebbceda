"""The file of a backup and the commands that make and read it: it is whole or not there, and refusals are sentences."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from deploy.backup.archive import Archive, BackupError
from deploy.backup.create import back_up
from deploy.databases import SERVICES
from deploy.migrate import MIGRATION_LOCK
from tests.deploy import services_fixture
from tests.support import factories
from tests.support.kei import KEI, ROOT, START_TIMEOUT
from tests.support.run import Run
from tests.support.waiting import eventually

Create = Callable[[str], Awaitable[str]]
Process = asyncio.subprocess.Process
pytestmark = pytest.mark.timeout(180)
SEED = 20170628
MEMORY = 64 * 1024
"""KiB that a command may need more for large databases than for small ones."""
_LARGE = """
    INSERT INTO idempotency (principal, key, request, fingerprint, status, headers, body)
    SELECT 'large', n, '', '', 200, '{}', convert_to(repeat(md5(n::text), 40), 'UTF8')
    FROM generate_series(1, 100000) AS n
"""
_WATCHED = """
import resource
from deploy.cli import app
try:
    app(prog_name='kei')
finally:
    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture
async def urls(filled: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    return await filled()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "one.kei"


def variables(urls: Mapping[str, str]) -> dict[str, str]:
    return {f"KEI_{service.upper()}_DATABASE_URL": url for service, url in urls.items()}


async def start_command(settings: Mapping[str, str], *command: str, kei: Sequence[str] = KEI) -> Process:
    others = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
    return await asyncio.create_subprocess_exec(
        *kei,
        *command,
        cwd=ROOT,
        env={**others, **settings, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


async def run_command(settings: Mapping[str, str], *command: str, kei: Sequence[str] = KEI) -> tuple[int | None, str]:
    process = await start_command(settings, *command, kei=kei)
    async with asyncio.timeout(START_TIMEOUT):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def wait_for_output(process: Process, text: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(START_TIMEOUT):
        while text not in (line := (await process.stdout.readline()).decode()):
            assert line, f"it has ended without {text!r}"


@pytest.fixture
async def written(urls: dict[str, str], file: Path) -> Path:
    await back_up(file, urls, services_fixture.show_nothing)
    return file


@pytest.fixture
def small(run: Run) -> Iterator[Path]:
    """A file system of 32 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = run.new_folder()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(file: Path, size: int) -> None:
    file.write_bytes(bytes(size))


def flip(file: Path, whole: bytes, place: int, bit: int) -> None:
    damaged = bytearray(whole)
    damaged[place] ^= 1 << bit
    file.write_bytes(damaged)


def spoil(file: Path) -> None:
    whole = file.read_bytes()
    flip(file, whole, len(whole) // 2, 0)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_flipped_bit_is_refused_or_changes_nothing(written: Path) -> None:
    whole, chance, refusals = written.read_bytes(), random.Random(SEED), []
    with closing(Archive(written)) as archive:
        manifest = archive.manifest
    for place in (chance.randrange(len(whole)) for _ in range(500)):
        flip(written, whole, place, chance.randrange(8))
        try:
            with closing(Archive(written)) as archive:
                assert archive.manifest == manifest
        except BackupError as refusal:
            refusals.append(str(refusal))
    assert all("is damaged" in refusal for refusal in refusals)
    assert len(refusals) > 400


def test_a_file_that_ends_early_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for end in (*range(0, len(whole), len(whole) // 50), len(whole) - 1):
        written.write_bytes(whole[:end])
        with pytest.raises(BackupError, match="is damaged"):
            Archive(written)


async def test_a_damaged_file_changes_no_database(written: Path, service_database: Create) -> None:
    spoil(written)
    empty = await services_fixture.migrated_databases(service_database)
    before = await services_fixture.rows_by_service(empty)
    status, output = await run_command(variables(empty), "restore", str(written))
    assert (status, "is damaged" in output) == (1, True), output
    assert await services_fixture.rows_by_service(empty) == before


async def test_the_commands_find_databases_by_variables_and_by_secret_files(
    urls: dict[str, str], service_database: Create, file: Path, tmp_path: Path
) -> None:
    status, output = await run_command(variables(urls), "backup", str(file))
    assert status == 0, output
    assert "Writes were blocked for" in output
    assert mode(file) == 0o600
    status, output = await run_command({}, "backup", "--verify", str(file))
    assert (status, "is whole" in output) == (0, True), output
    empty = await services_fixture.migrated_databases(service_database)
    for service, url in empty.items():
        (tmp_path / f"{service}_database_url").write_text(url)
    status, output = await run_command({"KEI_SECRETS_DIR": str(tmp_path)}, "restore", str(file))
    assert (status, "Start the services." in output) == (0, True), output
    assert await services_fixture.rows_by_service(empty) == await services_fixture.rows_by_service(urls)
    status, output = await run_command({"KEI_SECRETS_DIR": str(tmp_path)}, "restore", str(file), "--replace")
    assert (status, "To continue, type: replace" in output) == (1, True), output
    only = ("restore", str(file), "--service", "matching", "--replace", "--yes")
    status, output = await run_command({"KEI_SECRETS_DIR": str(tmp_path)}, *only)
    assert status == 0, output
    assert "kei status" in output
    assert "kei events replay members" in output


async def test_what_is_missing_is_named(urls: dict[str, str], file: Path, tmp_path: Path) -> None:
    known = variables(urls)
    dead = known | {"KEI_MATCHING_DATABASE_URL": "postgresql://matching:x@127.0.0.1:1/matching"}
    less = {name: url for name, url in known.items() if "MATCHING" not in name}
    nowhere = {"KEI_DATA_DIR": str(tmp_path / "nowhere")}
    cases = (
        (dead, "backup", "The database of matching at 127.0.0.1:1 is not reached:"),
        (less, "backup", "KEI_MATCHING_DATABASE_URL is not set"),
        (nowhere, "backup", "There is no Kei in"),
        (known, "restore", "cannot be read: No such file or directory"),
    )
    results = await asyncio.gather(*(run_command(settings, command, str(file)) for settings, command, _ in cases))
    for (status, output), (_, _, text) in zip(results, cases, strict=True):
        assert (status, text in output) == (1, True), output
    assert names(tmp_path) == []


async def test_a_file_is_never_written_over(urls: dict[str, str], written: Path) -> None:
    with pytest.raises(BackupError, match="exists already"):
        await back_up(written, urls, services_fixture.show_nothing)
    Archive(written).close()


async def test_two_backups_do_not_write_one_file(urls: dict[str, str], file: Path) -> None:
    results = await asyncio.gather(
        *(back_up(file, urls, services_fixture.show_nothing) for _ in range(2)), return_exceptions=True
    )
    assert [str(result) for result in results if isinstance(result, BackupError)] == [
        f"Another backup is being written to {file}."
    ]
    Archive(file).close()


async def test_a_full_disk_leaves_nothing(urls: dict[str, str], small: Path) -> None:
    ballast = small / "ballast"
    for free in range(1024, 28 * 1024, 3 * 1024):  # wherever in the file it ends
        fill(ballast, 32 * 1024 - free)
        with pytest.raises(BackupError, match="could not be written: No space left on device"):
            await back_up(small / "one.kei", urls, services_fixture.show_nothing)
        assert names(small) == [ballast.name]


async def test_a_backup_that_is_broken_off_leaves_nothing(urls: dict[str, str], file: Path) -> None:
    def report_progress(step: str) -> None:
        if step == "Copying notifications":
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await back_up(file, urls, report_progress)
    assert names(file.parent) == []


async def test_a_backup_that_is_told_to_end_or_killed_leaves_no_backup(urls: dict[str, str], file: Path) -> None:
    migration = await asyncpg.connect(urls["matching"])
    await migration.fetch("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    aside = file.with_name(f".{file.name}.partial")
    for how, left in ((signal.SIGTERM, []), (signal.SIGKILL, [aside.name])):
        process = await start_command(variables(urls), "backup", str(file))
        await eventually(aside.exists, START_TIMEOUT)
        process.send_signal(how)
        await process.wait()
        assert names(file.parent) == left
    await migration.close()
    await back_up(file, urls, services_fixture.show_nothing)
    assert names(file.parent) == [file.name]


async def test_a_restore_that_is_killed_leaves_nothing_and_can_be_done_again(
    urls: dict[str, str], service_database: Create, written: Path
) -> None:
    empty = await services_fixture.migrated_databases(service_database)
    before = await services_fixture.rows_by_service(empty)
    for service in SERVICES[1:]:
        process = await start_command(variables(empty), "restore", str(written))
        await wait_for_output(process, f"Filling {service}")
        process.kill()
        await process.wait()
        assert await services_fixture.rows_by_service(empty) == before
    status, output = await run_command(variables(empty), "restore", str(written))
    assert status == 0, output
    assert await services_fixture.rows_by_service(empty) == await services_fixture.rows_by_service(urls)
    assert not await factories.rows(empty["members"], "SELECT FROM pg_namespace WHERE nspname = 'kei_restore'")


async def test_large_databases_need_no_more_memory(
    urls: dict[str, str], service_database: Create, file: Path, tmp_path: Path
) -> None:
    empty, large = await services_fixture.migrated_databases(service_database), tmp_path / "large.kei"
    small = await peak(urls, "backup", str(file))
    await services_fixture.run(urls["trainings"], _LARGE)
    assert await peak(urls, "backup", str(large)) < small + MEMORY
    with closing(Archive(large)) as archive:
        assert sum(table.size for table in archive.manifest.services["trainings"].tables) > 3 * MEMORY * 1024
    assert await peak(empty, "restore", str(large)) < small + MEMORY


async def peak(urls: Mapping[str, str], *command: str) -> int:
    """The most memory that a command needed, in KiB."""
    status, output = await run_command(variables(urls), *command, kei=(sys.executable, "-P", "-c", _WATCHED))
    assert status == 0, output
    return int(output.split()[-1])
