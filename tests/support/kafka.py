"""Apache Kafka for tests: KEI_TEST_KAFKA, else a container, else a process of this machine. Never a stand-in."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from tests.support import docker, kafka_local
from tests.support.kafka_local import LocalBroker
from tests.support.kafka_secured import LocalSecured, SecuredBroker
from tests.support.run import Facts, Run
from tests.support.waiting import eventually

_INSTALL = "start Docker, or install Java 17 and Maven"
_NO_BROKER = f"no broker: set KEI_TEST_KAFKA, {_INSTALL}"
_NO_OWN_BROKER = f"no broker that a test may stop: {_INSTALL}"


class Broker(Protocol):
    """A broker of one test; its address stays the same over restarts."""

    @property
    def address(self) -> str: ...
    def launch(self, properties: dict[str, str]) -> None: ...
    async def start(self, properties: dict[str, str] | None = None, advertised: str = "") -> None: ...
    async def stop(self) -> None: ...
    async def crash(self) -> None: ...
    async def end(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


async def delete_records(address: str, topics: Sequence[str]) -> None:
    """Delete all records of the topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        described = await admin.describe_topics(list(topics))
        parts = [
            TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]
        ]
        await admin.delete_records(dict.fromkeys(parts, RecordsToDelete(-1)))
    finally:
        await admin.close()


class Topics:
    """Topics of one test, deleted at its end."""

    def __init__(self, address: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=address)
        self._names: list[str] = []

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._names:
            await self._admin.delete_topics(self._names)
        await self._admin.close()

    async def create(self, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        """Create a topic with a unique name; return the name once each partition has a leader."""
        name = f"test.{uuid.uuid4().hex}"
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=config or {})
        await self._admin.create_topics([topic])
        self._names.append(name)
        await eventually(lambda: self._has_leaders(name, partitions))
        return name

    async def _has_leaders(self, name: str, partitions: int) -> bool:
        described = (await self._admin.describe_topics([name]))[0]["partitions"]
        return len(described) == partitions and all(
            partition["leader"] >= 0 and not partition["error_code"] for partition in described
        )


def unavailable_reason(run: Run, *, own: bool) -> str:
    """Why there is no broker here, or an empty string. `own`: the test starts and stops it."""
    if _in_docker(run) or kafka_local.available():
        return ""
    if os.environ.get("KEI_TEST_KAFKA"):
        return _NO_OWN_BROKER if own else ""
    return _NO_BROKER


def require_broker(run: Run) -> None:
    """Abort the run if brokers are required and there is none."""
    reason = unavailable_reason(run, own=True) if os.environ.get("KEI_REQUIRE_KAFKA") == "1" else ""
    if reason:
        message = f"KEI_REQUIRE_KAFKA=1, but {reason}"
        raise pytest.UsageError(message)


def skip_reason(report: pytest.TestReport) -> str:
    """The skip reason if the test was skipped because there is no broker."""
    message = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return next((reason for reason in (_NO_BROKER, _NO_OWN_BROKER) if message.endswith(reason)), "")


def shared_broker(run: Run) -> str:
    """The address of the run's broker; the first caller starts it."""
    return run.once("kafka", lambda: _start(run))["address"]


def download(run: Run) -> None:
    """Download Kafka before the timeouts of the first tests begin."""
    if not _in_docker(run):
        kafka_local.prepare()


def new_broker(run: Run) -> Broker:
    """A broker for one test, not yet started."""
    if _in_docker(run):
        from tests.support.kafka_docker import DockerBroker  # noqa: PLC0415 - slow, and only of use here

        return DockerBroker(run)
    return LocalBroker(run.root / f"kafka-{uuid.uuid4().hex[:8]}")


def new_secured_broker(run: Run) -> SecuredBroker:
    """A broker with access control for one test, not yet started."""
    if _in_docker(run):
        from tests.support.kafka_docker import DockerSecured  # noqa: PLC0415 - as above

        return DockerSecured(run)
    return LocalSecured(run.root / f"kafka-{uuid.uuid4().hex[:8]}")


def end(run: Run) -> None:
    """Kill the local brokers of the run that still run."""
    for pid in run.root.glob("*/broker.pid"):
        LocalBroker(pid.parent).kill()


def _in_docker(run: Run) -> bool:
    return docker.provides(run, docker.KAFKA_IMAGE)


def _start(run: Run) -> Facts:
    if address := os.environ.get("KEI_TEST_KAFKA"):
        return {"address": address}
    if _in_docker(run):
        from tests.support.kafka_docker import DockerBroker  # noqa: PLC0415 - as above

        container = DockerBroker(run)
        container.launch({})
        return {"address": container.address}
    process = LocalBroker(Path(run.root, "kafka"))
    process.launch({})
    return {"address": process.address}
