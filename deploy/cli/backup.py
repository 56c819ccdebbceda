"""`kei backup` and `kei restore`: all databases in one file."""

import asyncio
import importlib.util
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.backup import create
from deploy.backup.archive import Archive, BackupError, Manifest
from deploy.backup.restore import restore as put_back
from deploy.cli.common import err, in_loop, out, progress, user_errors
from deploy.cli.options import DATA_DIR, known
from deploy.databases import SERVICES, database_url
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError

FileArgument = Annotated[Path, typer.Argument(help="Backup file.", show_default=False)]
OptionalDataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Data directory of an embedded Kei. Without it, the databases are those of KEI_<SERVICE>_DATABASE_URL or"
        " KEI_SECRETS_DIR, or of .kei if neither is set.",
    ),
]
TERMINATED = 143
"""Exit status after SIGTERM, as in a shell."""


def back_up(
    file: FileArgument,
    data_dir: OptionalDataDirOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Write nothing: read a backup and check its sums.")] = False,
) -> None:
    """Write a consistent snapshot of all services' databases into a new file. Kei may be running."""
    with _backup_errors():
        if verify:
            with closing(Archive(file)) as archive:
                _print_manifest(archive.manifest)
            _print(f"{file} is whole.")
            return
        begun = time.monotonic()
        manifest = in_loop(_stoppable(_back_up(file, data_dir)))
        _print_manifest(manifest)
        size, seconds = _megabytes(file.stat().st_size), time.monotonic() - begun
        _print(f"{file} has {size} and took {seconds:.1f} s.")
        _print(f"Writes were blocked for at most {manifest.held_up * 1000:.0f} ms.")


def restore(
    file: FileArgument,
    service: Annotated[list[str] | None, typer.Option(help="May be repeated; all services if left out.")] = None,
    data_dir: OptionalDataDirOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Remove the present rows of the databases.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --replace: do not ask for confirmation.")] = False,
) -> None:
    """Restore a backup into empty databases. Stop the services first; they send their whole logs again afterwards."""
    services = [known(name) for name in dict.fromkeys(service or SERVICES)]
    with _backup_errors():
        begun = time.monotonic()
        manifest = in_loop(_stoppable(_restore(file, data_dir, services, replace=replace, yes=yes)))
        _print_manifest(manifest, services)
        for line in (f"Restored in {time.monotonic() - begun:.1f} s.", *_next_steps(services)):
            _print(line)


async def _back_up(file: Path, data_dir: Path | None) -> Manifest:
    with progress("Waiting for a snapshot of all databases") as show:
        async with _databases_to_read(data_dir) as urls:
            return await create.back_up(file, urls, show)


async def _restore(file: Path, data_dir: Path | None, services: Sequence[str], *, replace: bool, yes: bool) -> Manifest:
    def show(step: str) -> None:
        _print(f"{step} …")

    def agree(filled: Sequence[str]) -> bool:
        question = f"This removes all rows of {', '.join(filled)}. To continue, type: replace"
        return yes or typer.prompt(question, default="", show_default=False) == "replace"

    show(f"Reading {file}")
    with closing(Archive(file)) as archive:
        async with _databases_to_fill(data_dir, services) as urls:
            await put_back(archive, urls, replace=replace, agree=agree, show=show)
        return archive.manifest


@asynccontextmanager
async def _databases_to_read(data_dir: Path | None) -> AsyncIterator[dict[str, str]]:
    """The databases, not migrated; starts the PostgreSQL of an embedded Kei that does not run."""
    path = _embedded_path(data_dir)
    if path is None:
        yield {service: database_url(service) for service in SERVICES}
        return
    directory = DataDirectory(path)
    if not (directory.path / "postgres" / "PG_VERSION").exists():
        raise DataDirectoryError(f"There is no Kei in {directory.path}.")
    with ExitStack() as stack:
        with suppress(DataDirectoryError):  # a running Kei has locked it, and its PostgreSQL runs
            stack.enter_context(directory.locked())
        server = await asyncio.to_thread(directory.start_postgres)
        yield {service: server.replace("postgres:@/postgres", f"{service}:@/{service}") for service in SERVICES}


@asynccontextmanager
async def _databases_to_fill(data_dir: Path | None, services: Sequence[str]) -> AsyncIterator[dict[str, str]]:
    """The databases to restore into; those of an embedded Kei are created if they do not exist."""
    path = _embedded_path(data_dir)
    if path is None:
        yield {service: database_url(service) for service in services}
        return
    directory = DataDirectory(path)
    with directory.locked():
        urls = await directory.databases()
        yield {service: urls[service] for service in services}


def _embedded_path(data_dir: Path | None) -> Path | None:
    """The data directory of an embedded Kei; None if the environment names the databases.

    In a deployment KEI_DATA_DIR names only the folder of the signing key, so the other variables come first.
    """
    if data_dir is not None:
        return data_dir
    names = ("KEI_SECRETS_DIR", *(f"KEI_{service.upper()}_DATABASE_URL" for service in SERVICES))
    return None if any(os.environ.get(name) for name in names) else Path(os.environ.get("KEI_DATA_DIR", DATA_DIR))


async def _stoppable(work: Coroutine[Any, Any, Manifest]) -> Manifest:
    """Cancel the work on SIGTERM, so that it cleans up as after Ctrl-C."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


@contextmanager
def _backup_errors() -> Iterator[None]:
    with user_errors():
        try:
            yield
        except BackupError as error:
            err.print(str(error), markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error
        except asyncio.CancelledError as error:
            raise typer.Exit(TERMINATED) from error


def _print_manifest(manifest: Manifest, services: Sequence[str] = SERVICES) -> None:
    """Print the content of the file for these services. `log` is the position of the last event."""
    table = Table("service", "tables", "rows", "size", "log", "state")
    for name in services:
        content = manifest.services[name]
        rows, size = sum(each.rows for each in content.tables), sum(each.size for each in content.tables)
        table.add_row(
            name, str(len(content.tables)), str(rows), _megabytes(size), str(content.assigned), content.state[:16]
        )
    _print(f"Snapshot of {manifest.cut_at:%Y-%m-%d %H:%M:%S.%f} UTC")
    out.print(table)


def _print(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _next_steps(services: Sequence[str]) -> list[str]:
    """What the operator does after a restore."""
    if set(services) == set(SERVICES):
        return [
            "Start the services. With Kafka, begin with empty topics; every event is sent again, with its position."
        ]
    producers = sorted(set().union(*(_producers_for(name) for name in services)) - set(services))
    lines = [f"Start the services. The others may have later events of {', '.join(services)}: see kei status."]
    return lines + [f"To receive missed events of {name}, run: kei events replay {name}" for name in producers]


def _producers_for(service: str) -> set[str]:
    """The services whose events a service handles."""
    if importlib.util.find_spec(f"services.{service}.consumers") is None:
        return set()
    topics: frozenset[str] = importlib.import_module(f"services.{service}.consumers").consumer.topics
    return {topic.split(".")[1] for topic in topics}
