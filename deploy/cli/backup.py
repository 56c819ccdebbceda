"""`kei backup` and `kei restore`: all databases in one file, and back."""

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
from deploy.cli.common import HOME, err, in_loop, out, progress, sentences
from deploy.cli.serve import known
from deploy.databases import database_url
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.migrate import SERVICES

FileArgument = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]
WhereOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="The folder of an embedded Kei. Without it, the databases are those of KEI_<SERVICE>_DATABASE_URL or"
        " KEI_SECRETS_DIR, or of .kei if there is neither.",
    ),
]
ENDED = 143
"""The exit status of a command that was told to end, as a shell gives it."""


def back_up(
    file: FileArgument,
    home: WhereOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Make none: read one, and say if it is whole.")] = False,
) -> None:
    """Write the databases of all services into a new file, as they are at one moment. Kei may be running."""
    with _sentences():
        if verify:
            with closing(Archive(file)) as archive:
                _tell(archive.manifest)
            _say(f"{file} is whole.")
            return
        begun = time.monotonic()
        manifest = in_loop(_stoppable(_back_up(file, home)))
        _tell(manifest)
        size, seconds = _mega(file.stat().st_size), time.monotonic() - begun
        _say(f"{file} has {size} and took {seconds:.1f} s.")
        _say(f"Nobody could write for {manifest.held_up * 1000:.0f} ms at most.")


def restore(
    file: FileArgument,
    service: Annotated[list[str] | None, typer.Option(help="May be given more than once; all if left out.")] = None,
    home: WhereOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the databases hold now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --replace: do not ask.")] = False,
) -> None:
    """Put a backup into databases that are empty. The services are stopped before, and send their logs again after."""
    services = [known(one) for one in dict.fromkeys(service or SERVICES)]
    with _sentences():
        begun = time.monotonic()
        manifest = in_loop(_stoppable(_restore(file, home, services, replace=replace, yes=yes)))
        _tell(manifest, services)
        for line in (f"Restored in {time.monotonic() - begun:.1f} s.", *_what_now(services)):
            _say(line)


async def _back_up(file: Path, home: Path | None) -> Manifest:
    with progress("Waiting for one moment of all databases") as tell:
        async with _databases(home) as urls:
            return await create.back_up(file, urls, tell)


async def _restore(file: Path, home: Path | None, services: Sequence[str], *, replace: bool, yes: bool) -> Manifest:
    def tell(step: str) -> None:
        _say(f"{step} …")

    def agree(filled: Sequence[str]) -> bool:
        question = f"This removes all that {', '.join(filled)} hold now. To go on, write: replace"
        return yes or typer.prompt(question, default="", show_default=False) == "replace"

    tell(f"Reading {file}")
    with closing(Archive(file)) as archive:
        async with _places(home, services) as urls:
            await put_back(archive, urls, replace=replace, agree=agree, tell=tell)
        return archive.manifest


@asynccontextmanager
async def _databases(given: Path | None) -> AsyncIterator[dict[str, str]]:
    """The databases as they are; the server of an embedded Kei that does not run is started."""
    path = _folder(given)
    if path is None:
        yield {service: database_url(service) for service in SERVICES}
        return
    home = DataDirectory(path)
    if not (home.path / "postgres" / "PG_VERSION").exists():
        raise DataDirectoryError(f"There is no Kei in {home.path}.")
    with ExitStack() as stack:
        with suppress(DataDirectoryError):  # a running Kei holds it, and its server runs
            stack.enter_context(home.held())
        server = await asyncio.to_thread(home._started)  # noqa: SLF001  `databases` would migrate what is to be copied
        yield {service: server.replace("postgres:@/postgres", f"{service}:@/{service}") for service in SERVICES}


@asynccontextmanager
async def _places(given: Path | None, services: Sequence[str]) -> AsyncIterator[dict[str, str]]:
    """The databases to restore into; those of an embedded Kei are made if they are not there."""
    path = _folder(given)
    if path is None:
        yield {service: database_url(service) for service in services}
        return
    home = DataDirectory(path)
    with home.held():
        urls = await home.databases()
        yield {service: urls[service] for service in services}


def _folder(given: Path | None) -> Path | None:
    """The embedded Kei's folder; None if the environment says where the databases are.

    A deployment's tools find the signing key by KEI_DATA_DIR, and have no embedded Kei: that name comes last.
    """
    if given is not None:
        return given
    names = ("KEI_SECRETS_DIR", *(f"KEI_{service.upper()}_DATABASE_URL" for service in SERVICES))
    return None if any(os.environ.get(name) for name in names) else Path(os.environ.get("KEI_DATA_DIR", HOME))


async def _stoppable(work: Coroutine[Any, Any, Manifest]) -> Manifest:
    """Be told to end as by Ctrl-C, and tidy up as then."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


@contextmanager
def _sentences() -> Iterator[None]:
    with sentences():
        try:
            yield
        except BackupError as error:
            err.print(str(error), markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error
        except asyncio.CancelledError as error:
            raise typer.Exit(ENDED) from error


def _tell(manifest: Manifest, services: Sequence[str] = SERVICES) -> None:
    """What is in the file of these services. `log` is the position of the last event."""
    table = Table("service", "tables", "rows", "size", "log", "state")
    for name in services:
        held = manifest.services[name]
        rows, size = sum(one.rows for one in held.tables), sum(one.size for one in held.tables)
        table.add_row(name, str(len(held.tables)), str(rows), _mega(size), str(held.assigned), held.state[:16])
    _say(f"All databases as they were at {manifest.cut_at:%Y-%m-%d %H:%M:%S.%f} UTC")
    out.print(table)


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _mega(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _what_now(services: Sequence[str]) -> list[str]:
    """What is left to do after a restore."""
    if set(services) == set(SERVICES):
        return [
            "Start the services. With Kafka, begin with empty topics; every event is sent again, with its position."
        ]
    heard = sorted(set().union(*(_heard_by(name) for name in services)) - set(services))
    lines = [f"Start the services. The others may know more than {', '.join(services)} now: kei status tells."]
    return lines + [f"What it has missed of {name}, it hears by: kei events replay {name}" for name in heard]


def _heard_by(service: str) -> set[str]:
    """The services whose events it handles."""
    if importlib.util.find_spec(f"services.{service}.consumers") is None:
        return set()
    topics: frozenset[str] = importlib.import_module(f"services.{service}.consumers").consumer.topics
    return {topic.split(".")[1] for topic in topics}
