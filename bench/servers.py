"""The servers of a run: PostgreSQL that waits for its disk, and Kafka with a heap and a compiler for real work.

Both are started here, for this run only, and listen on a Unix socket and on loopback. Those of the tests are of no
use: they forget what they were told when the machine fails, and their Kafka is made to start quickly.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from sqlalchemy.engine import make_url

from shared.events import topics
from tests.support import kafka_local
from tests.support.kafka_local import LocalBroker
from tests.support.postgres import from_wheel
from tests.support.run import Run
from tests.support.waiting import eventually

POSTGRES = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",  # none in the middle of one variant; full pages are written all the same
    "max_connections": "200",
}
MUST = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# The last word among the places where a JVM reads its options, so it stands above those of the tests' small broker.
_JVM = "-Xms1g -Xmx1g -XX:-UseSerialGC -XX:+UseG1GC -XX:TieredStopAtLevel=4"
# A busy machine must not look like a dead broker.
_KAFKA = {"broker.session.timeout.ms": "18000", "broker.heartbeat.interval.ms": "2000"}
PARTITIONS = 8


class NoKafka(Exception):
    """This machine cannot run a broker."""


class Stage:
    """What benches are run on. The broker is started when one asks for it."""

    def __init__(self, root: Path, postgres: str) -> None:
        self.root, self.postgres = root, postgres
        self._broker: LocalBroker | None = None

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """An empty database; its URL."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.postgres)
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            yield make_url(self.postgres).set(database=name).render_as_string(hide_password=False)
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def kafka(self) -> str:
        """The broker's address.

        Raises:
            NoKafka: there can be none here.
        """
        if self._broker is None:
            if not kafka_local.available():
                raise NoKafka("no broker: install Java 17 and Maven")
            os.environ["_JAVA_OPTIONS"] = _JVM
            self._broker = LocalBroker(self.root / "kafka")
            await self._broker.start(_KAFKA)
        return self._broker.address

    async def topic(self, partitions: int = PARTITIONS) -> str:
        """A new topic whose partitions all have a leader."""
        name = f"bench.{uuid.uuid4().hex}"
        admin = AIOKafkaAdminClient(bootstrap_servers=await self.kafka())
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1)])
            await eventually(lambda: _led(admin, name, partitions), deadline=30)
        finally:
            await admin.close()
        return name

    async def without_kei(self) -> None:
        """Remove Kei's own topics, and what groups have read of them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=await self.kafka())
        await admin.start()
        try:
            if theirs := sorted(set(await admin.list_topics()) & set(topics())):
                await admin.delete_topics(theirs)
                await eventually(lambda: _gone(admin, theirs), deadline=30)
        finally:
            await admin.close()

    def end(self) -> None:
        """End the broker."""
        if self._broker is not None:
            self._broker.kill()


async def _gone(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    return not set(await admin.list_topics()) & set(names)


async def _led(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    with suppress(KafkaError):
        found = (await admin.describe_topics([name]))[0]["partitions"]
        return len(found) == partitions and all(one["leader"] >= 0 for one in found)
    return False


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """The servers, until the block ends."""
    root = _folder()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        server = from_wheel(Run(root), root / "postgres")
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in POSTGRES.items())
        server.ensure_postgres_running()
        stack.callback(server.stop)
        await _check(server.get_uri())
        made = Stage(root, server.get_uri())
        stack.callback(made.end)
        yield made


def _folder() -> Path:
    root = Path(tempfile.mkdtemp(prefix="kei-bench-"))
    root.chmod(0o755)  # the wheel's server runs as a user of its own where the bench runs as root
    return root


async def _check(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for name, wanted in MUST.items():
            is_set = await connection.fetchval("SELECT current_setting($1)", name)
            if is_set != wanted:
                message = f"PostgreSQL has {name} = {is_set}: its figures would say nothing"
                raise RuntimeError(message)
    finally:
        await connection.close()


def sync_time(folder: Path, times: int = 200) -> float:
    """Milliseconds that one write of 8 kB to the disk takes there, with waiting for it."""
    path = folder / "sync"
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        os.write(handle, bytes(8192))
        os.fsync(handle)
        begun = perf_counter()
        for _ in range(times):
            os.pwrite(handle, bytes(8192), 0)
            os.fdatasync(handle)
        return (perf_counter() - begun) / times * 1000
    finally:
        os.close(handle)
        path.unlink()
