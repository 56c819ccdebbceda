"""The servers of a run: PostgreSQL with durable commits, and Kafka with production JVM settings.

Both are started for this run only and listen on a Unix socket and on loopback. The servers of the tests cannot be
used: their PostgreSQL does not wait for the disk, and their Kafka is tuned for a fast start.
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

POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",  # no checkpoint while a variant runs; full_page_writes stays on
    "max_connections": "200",
}
REQUIRED_SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# _JAVA_OPTIONS overrides all other JVM options, also those of the tests' small broker.
_JVM_OPTIONS = "-Xms1g -Xmx1g -XX:-UseSerialGC -XX:+UseG1GC -XX:TieredStopAtLevel=4"
# A loaded machine must not cause session timeouts.
_KAFKA_SETTINGS = {"broker.session.timeout.ms": "18000", "broker.heartbeat.interval.ms": "2000"}
PARTITIONS = 8


class KafkaUnavailable(Exception):
    """No Kafka broker can be started on this machine."""


class Servers:
    """The PostgreSQL server and, started on first use, the Kafka broker of a run."""

    def __init__(self, root: Path, postgres: str) -> None:
        self.root, self.postgres = root, postgres
        self._broker: LocalBroker | None = None

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Create an empty database and yield its URL."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.postgres)
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            yield make_url(self.postgres).set(database=name).render_as_string(hide_password=False)
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def kafka_address(self) -> str:
        """The address of the broker, started if necessary.

        Raises:
            KafkaUnavailable: Java or Maven is missing.
        """
        if self._broker is None:
            if not kafka_local.available():
                raise KafkaUnavailable("no broker: install Java 17 and Maven")
            os.environ["_JAVA_OPTIONS"] = _JVM_OPTIONS
            self._broker = LocalBroker(self.root / "kafka")
            await self._broker.start(_KAFKA_SETTINGS)
        return self._broker.address

    async def create_topic(self, partitions: int = PARTITIONS) -> str:
        """Create a topic, wait until all its partitions have a leader, and return its name."""
        name = f"bench.{uuid.uuid4().hex}"
        admin = AIOKafkaAdminClient(bootstrap_servers=await self.kafka_address())
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1)])
            await eventually(lambda: _has_leaders(admin, name, partitions), deadline=30)
        finally:
            await admin.close()
        return name

    async def delete_kei_topics(self) -> None:
        """Delete the topics of Kei, and with them the offsets of all groups."""
        admin = AIOKafkaAdminClient(bootstrap_servers=await self.kafka_address())
        await admin.start()
        try:
            if kei_topics := sorted(set(await admin.list_topics()) & set(topics())):
                await admin.delete_topics(kei_topics)
                await eventually(lambda: _deleted(admin, kei_topics), deadline=30)
        finally:
            await admin.close()

    def stop_kafka(self) -> None:
        """Stop the broker."""
        if self._broker is not None:
            self._broker.kill()


async def _deleted(admin: AIOKafkaAdminClient, names: list[str]) -> bool:
    return not set(await admin.list_topics()) & set(names)


async def _has_leaders(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    with suppress(KafkaError):
        described = (await admin.describe_topics([name]))[0]["partitions"]
        return len(described) == partitions and all(partition["leader"] >= 0 for partition in described)
    return False


@asynccontextmanager
async def start_servers() -> AsyncIterator[Servers]:
    """Run the servers until the block ends."""
    root = _folder()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        server = from_wheel(Run(root), root / "postgres")
        server.ensure_pgdata_inited()
        with (server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in POSTGRES_SETTINGS.items())
        server.ensure_postgres_running()
        stack.callback(server.stop)
        await _require_settings(server.get_uri())
        servers = Servers(root, server.get_uri())
        stack.callback(servers.stop_kafka)
        yield servers


def _folder() -> Path:
    root = Path(tempfile.mkdtemp(prefix="kei-bench-"))
    root.chmod(0o755)  # if the bench runs as root, the wheel's server runs as another user
    return root


async def _require_settings(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for name, required in REQUIRED_SETTINGS.items():
            actual = await connection.fetchval("SELECT current_setting($1)", name)
            if actual != required:
                message = f"PostgreSQL has {name} = {actual}: commits must be durable"
                raise RuntimeError(message)
    finally:
        await connection.close()


def sync_time(folder: Path, times: int = 200) -> float:
    """Milliseconds of one write of 8 kB in that folder, with fdatasync."""
    path = folder / "sync"
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        os.write(handle, bytes(8192))
        os.fsync(handle)
        started = perf_counter()
        for _ in range(times):
            os.pwrite(handle, bytes(8192), 0)
            os.fdatasync(handle)
        return (perf_counter() - started) / times * 1000
    finally:
        os.close(handle)
        path.unlink()
