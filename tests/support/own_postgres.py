"""A PostgreSQL that belongs to one test, to be stopped in the middle, filled up or starved. From the wheel."""

import asyncio
import os
import signal
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.support.connection import database_connection
from tests.support.postgres import from_wheel
from tests.support.run import Run
from tests.support.waiting import eventually

_STOP_TIMEOUT = 30.0


class OwnPostgres:
    """A server in a folder, durable as in the deployment.

    Args:
        run: whose place for locks it uses.
        folder: for its data; made by whoever needs it special.
        settings: lines for its configuration.
    """

    def __init__(self, run: Run, folder: Path, settings: dict[str, str]) -> None:
        self._server = from_wheel(run, folder)
        self._settings = {"max_connections": "200", "shared_buffers": "64MB", **settings}
        self._databases = 0

    async def start(self) -> None:
        """Start it, or start it again after a stop."""
        await asyncio.to_thread(self._launch)

    def _launch(self) -> None:
        if not (self._server.pgdata / "PG_VERSION").exists():
            self._server.ensure_pgdata_inited()
            with (self._server.pgdata / "postgresql.conf").open("a") as configuration:
                configuration.writelines(f"{name} = {value}\n" for name, value in self._settings.items())
        self._server.ensure_postgres_running()

    async def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it at once, as `pg_ctl stop -m immediate` does."""
        pid = int((self._server.pgdata / "postmaster.pid").read_text().split()[0])
        os.kill(pid, how)
        await eventually(lambda: not _runs(pid), _STOP_TIMEOUT)

    async def end(self) -> None:
        """Stop it for good."""
        if (self._server.pgdata / "postmaster.pid").exists():
            await self.stop()

    @property
    def socket(self) -> str:
        """The Unix socket it listens at."""
        return f"{make_url(self._server.get_uri()).query['host']}/.s.PGSQL.5432"

    async def create(self) -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"own_{self._databases}"
        async with database_connection(self._server.get_uri()) as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        return make_url(self._server.get_uri()).set(database=name).render_as_string(hide_password=False)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
