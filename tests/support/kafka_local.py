"""Apache Kafka as a process of this machine: one KRaft node on loopback, run by Java from jars that Maven resolves."""

import asyncio
import fcntl
import functools
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from tests.support.run import record_process, recorded_process
from tests.support.waiting import wait_until

_POM = Path(__file__).with_name("kafka.pom.xml")
_CLUSTER = "kei-tests-kei-tests-00"  # any 22 characters that do not begin with a dash
_OLDEST_JAVA = 17
_RESOLVE_TIMEOUT = 300.0
_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 30.0
_STARTED = "Kafka Server started"
_IN_USE = "Address already in use"
# Below the range that outgoing connections get: while the broker is down, a client's own retry could take its port.
_PORTS = range(15000, 32000)

_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # quick to start and small; no use for figures
_LOGGING = """
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # One node is all there is.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A crashed node may come back only when its session is over: 9 s by default.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    # The default of 128 MiB does not fit into the small heap.
    "log.cleaner.dedupe.buffer.size": "4194304",
}


class LocalBroker:
    """A broker whose data, log and process id lie in `home`. It keeps its address over stop, crash and start."""

    _processes: ClassVar[dict[Path, "subprocess.Popen[bytes]"]] = {}

    def __init__(self, home: Path) -> None:
        self._home = home
        self._pid = home / "broker.pid"
        self._log = home / "log"
        self._properties = home / "server.properties"

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        listener = re.search(r"PLAINTEXT://([\d.:]+)", self._properties.read_text())
        return listener[1] if listener else ""

    async def start(self, properties: dict[str, str] | None = None, advertised: str = "") -> None:
        """Start it, or start it again.

        Args:
            properties: go over the usual ones of server.properties at the first start.
            advertised: host:port that clients are sent to, if not its address; likewise.
        """
        elsewhere = {"advertised.listeners": f"PLAINTEXT://{advertised}"} if advertised else {}
        await asyncio.to_thread(self.launch, {**elsewhere, **(properties or {})})

    async def stop(self) -> None:
        """Let it end in order."""
        await asyncio.to_thread(self._halt, signal.SIGTERM)

    async def crash(self) -> None:
        await asyncio.to_thread(self.kill)

    async def end(self) -> None:
        """Stop it for good and remove what it stored."""
        await asyncio.to_thread(self.kill)
        shutil.rmtree(self._home, ignore_errors=True)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def launch(self, properties: dict[str, str]) -> None:
        for _ in range(3):
            if not self._properties.exists():
                self._configure(properties)
            if self._launch():
                return
            shutil.rmtree(self._home)  # somebody was quicker to take the port
        message = f"no port for Kafka in three attempts: {_tail(self._log)}"
        raise RuntimeError(message)

    def kill(self) -> None:
        self._halt(signal.SIGKILL)

    def _halt(self, how: signal.Signals) -> None:
        if not self._has_ended():
            self._signal(how)
            if how != signal.SIGKILL:
                self.resume()  # a frozen process does not hear a polite signal
            wait_until(self._has_ended, _STOP_TIMEOUT, f"Kafka did not end after {how.name}")
        self._pid.unlink(missing_ok=True)

    def _configure(self, properties: dict[str, str]) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        port, controller = free_ports()
        listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
        voters = f"127.0.0.1:{controller}"
        here = {"listeners": listeners, "controller.quorum.bootstrap.servers": voters, "log.dirs": f"{self._home}/data"}
        lines = [f"{name}={value}\n" for name, value in {**_PROPERTIES, **here, **properties}.items()]
        self._properties.write_text("".join(lines))
        formatting = ("format", "--standalone", "--cluster-id", _CLUSTER, "--config", str(self._properties))
        command = [*java_command(), "kafka.tools.StorageTool", *formatting]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT, check=False)
        if done.returncode:
            message = f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}"
            raise RuntimeError(message)

    def _launch(self) -> bool:
        with self._log.open("wb") as log:
            command = [*java_command(), "kafka.Kafka", str(self._properties)]
            # A session of its own, so that Ctrl-C reaches the tests first and they end it in order.
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._processes[self._home] = child
        record_process(self._pid, child.pid)
        wait_until(lambda: self._has_ended() or self._logged(_STARTED), _START_TIMEOUT, "Kafka did not start")
        if not self._has_ended():
            return True
        if self._logged(_IN_USE) and not (self._home / "data" / "bootstrap.checkpoint").exists():
            return False
        message = f"Kafka ended at its start: {_tail(self._log)}"
        raise RuntimeError(message)

    def _logged(self, text: str) -> bool:
        return text in self._log.read_text(errors="replace")

    def _signal(self, which: signal.Signals) -> None:
        process = recorded_process(self._pid)
        if process:
            process.send_signal(which)

    def _has_ended(self) -> bool:
        child = self._processes.get(self._home)
        if child and child.poll() is None:
            return False
        return recorded_process(self._pid) is None


def single_node_properties() -> dict[str, str]:
    """The lines of server.properties that any broker for tests has."""
    return dict(_PROPERTIES)


def available() -> bool:
    """Whether this machine can run a broker: Java, and Maven unless the jars are here already."""
    return bool(_java_version() >= _OLDEST_JAVA and (_jars().exists() or shutil.which("mvn")))


def prepare() -> None:
    """Fetch Kafka's jars if they are not here yet. They are kept for all runs of this user."""
    jars = _jars()
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            with tempfile.TemporaryDirectory(dir=jars.parent) as unfinished:
                _resolve(Path(unfinished))
                Path(unfinished, "libs").rename(jars)


def _resolve(folder: Path) -> None:
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}/libs")
    command = ["mvn", "-q", "-B", "-f", str(_POM), *goal]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RESOLVE_TIMEOUT, check=False)
    if done.returncode:
        message = f"Maven could not fetch Kafka: {(done.stdout + done.stderr)[-1000:]}"
        raise RuntimeError(message)
    (folder / "libs" / "log4j2.properties").write_text(_LOGGING)


def _jars() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kei" / f"kafka-{hashlib.sha256(_POM.read_bytes() + _LOGGING.encode()).hexdigest()[:12]}"


def java_command() -> list[str]:
    """How commands of Kafka begin; a class and its arguments follow."""
    prepare()
    return [
        "java",
        *_JVM,
        f"-Dlog4j2.configurationFile=file:{_jars()}/log4j2.properties",
        "-cp",
        f"{_jars()}/*",
    ]


@functools.cache
def _java_version() -> int:
    try:
        output = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except OSError:
        return 0
    match = re.search(r'version "(\d+)', output)
    return int(match[1]) if match else 0


def free_ports(wanted: int = 2) -> list[int]:
    """Free ports of loopback."""
    free: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                free.append(port)
        if len(free) == wanted:
            break
    return free


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
