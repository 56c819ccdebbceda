"""Apache Kafka as a container of the public image."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support import docker
from tests.support.kafka_local import free_ports, single_node_properties
from tests.support.kafka_secured import authorizer_properties, write_certificates
from tests.support.run import Run
from tests.support.waiting import wait_until

_START_TIMEOUT = 90
_STARTED = "Kafka Server started"
_STOP_TIMEOUT = 30
_CERTIFICATE = "/etc/kafka/broker.pem"


class DockerBroker:
    """A broker in a container; it keeps its address and its data over stop, crash and start.

    Args:
        run: which removes the container at the latest.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._port = free_ports()[0]
        self._starts = 0
        self.identity = ""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self, properties: dict[str, str] | None = None, advertised: str = "") -> None:
        elsewhere = {"advertised.listeners": _advertised(advertised)} if advertised else {}
        await asyncio.to_thread(self.launch, {**elsewhere, **(properties or {})})

    async def stop(self) -> None:
        await self._do(lambda container: container.stop(timeout=_STOP_TIMEOUT))

    async def crash(self) -> None:
        await self._do(lambda container: container.kill())

    async def end(self) -> None:
        await asyncio.to_thread(docker.remove, self.identity)

    def pause(self) -> None:
        docker.container(self.identity).pause()

    def resume(self) -> None:
        docker.container(self.identity).unpause()

    def launch(self, properties: dict[str, str]) -> None:
        if self.identity:
            docker.container(self.identity).start()
        else:
            self._create(properties)
        self._starts += 1
        wait_until(lambda: self._logged() >= self._starts, _START_TIMEOUT, "Kafka did not start in its container")

    def _create(self, properties: dict[str, str]) -> None:
        container = self._container()
        for name, value in self._environment(properties).items():
            container.with_env(name, value)
        container.waiting_for(LogMessageWaitStrategy(_STARTED).with_startup_timeout(_START_TIMEOUT))
        container.start()
        self.identity = container.get_wrapped_container().id

    def _container(self) -> DockerContainer:
        return (
            DockerContainer(docker.KAFKA_IMAGE)
            .with_kwargs(labels=docker.labels(self._run))
            .with_bind_ports(9094, self._port)
        )

    def _environment(self, properties: dict[str, str]) -> dict[str, str]:
        # The image forgets all its defaults as soon as one setting is given, so this is the whole set.
        listeners = {
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093,HOST://:9094",
            "advertised.listeners": _advertised(self.address),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
            "controller.quorum.voters": "1@localhost:9093",
        }
        return {
            _variable(name): value for name, value in {**single_node_properties(), **listeners, **properties}.items()
        }

    def _logged(self) -> int:
        logs: bytes = docker.container(self.identity).logs()
        return logs.count(_STARTED.encode())

    async def _do(self, act: Callable[[Any], object]) -> None:
        await asyncio.to_thread(lambda: act(docker.container(self.identity)))


class DockerSecured(DockerBroker):
    """One that obeys access rules.

    Args:
        run: as above; has the certificates.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        folder = run.new_folder()
        self.ca, self._certificate = folder / "ca.pem", folder / "broker.pem"
        write_certificates(self.ca, self._certificate)
        self.scram, self.tls = (f"127.0.0.1:{port}" for port in free_ports())

    def _container(self) -> DockerContainer:
        container = super()._container().with_volume_mapping(str(self._certificate), _CERTIFICATE, "ro")
        for port, address in ((9095, self.scram), (9096, self.tls)):
            container.with_bind_ports(port, int(address.rpartition(":")[2]))
        return container

    def _environment(self, properties: dict[str, str]) -> dict[str, str]:
        listeners = {
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093,HOST://:9094,SCRAM://:9095,TLS://:9096",
            "advertised.listeners": f"{_advertised(self.address)},SCRAM://{self.scram},TLS://{self.tls}",
        }
        return super()._environment({**authorizer_properties(Path(_CERTIFICATE)), **listeners, **properties})


def _advertised(address: str) -> str:
    return f"PLAINTEXT://localhost:9092,HOST://{address}"


def _variable(name: str) -> str:
    """The image's name for a line of server.properties."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
