"""Kei as a user starts it: `kei run` and other commands as subprocesses, with a data directory and a port per test."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import psutil

from deploy.api_client import Api, open_client
from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from tests.support.kafka_local import free_ports
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 25.0
KEI = (sys.executable, "-P", "-c", "from deploy.cli import app; app(prog_name='kei')")


class Kei:
    """One installation.

    Args:
        folder: for its data directory and its output.
        kafka: host:port of a broker; the local transport if left out.
    """

    def __init__(self, folder: Path, kafka: str | None = None) -> None:
        self.home = folder / "kei"
        self.port = free_ports()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.kafka = kafka
        self._output = folder / "output"
        self._process: Process | None = None

    async def start(self, *options: str) -> None:
        """Start `kei run` without waiting for it."""
        with self._output.open("wb") as output:
            self._process = await self._begin("run", *options, to=output.fileno())

    async def ready(self) -> None:
        """Wait until it serves requests."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:

            async def answers() -> bool:
                assert self._process is not None
                assert self._process.returncode is None, self.output()
                try:
                    return (await http.get("/api/members/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers, START_TIMEOUT)

    async def wait_for_output(self, text: str) -> str:
        """Wait until the output contains `text`; return the whole output."""

        def printed() -> bool:
            assert self._process is not None
            assert text in self.output() or self._process.returncode is None, self.output()
            return text in self.output()

        await eventually(printed, START_TIMEOUT)
        return self.output()

    def output(self) -> str:
        """Everything printed since the last start."""
        return self._output.read_text()

    async def stop(self) -> int:
        """Stop it with SIGTERM; return the exit status."""
        assert self._process is not None
        self._process.terminate()
        async with asyncio.timeout(STOP_TIMEOUT):
            return await self._process.wait()

    async def kill(self, *, database: bool = False) -> None:
        """Kill it with SIGKILL, and its PostgreSQL too if `database`."""
        assert self._process is not None
        if database:
            self._end_postgres(signal.SIGKILL)
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """End everything that still runs."""
        if self._process is not None:
            self._end_postgres(signal.SIGQUIT)
            await self.kill()

    async def run_command(self, *command: str, timeout: float = START_TIMEOUT) -> tuple[int, str]:
        """Run one command of `kei`; return its exit status and what it printed on both streams."""
        process = await self._begin(*command, to=subprocess.PIPE)
        async with asyncio.timeout(timeout):
            printed, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode()

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """A client of its APIs with an operator token."""
        async with open_client(self.url, lambda: operator_token(DataDirectory(self.home))) as api:
            yield api

    async def _begin(self, *command: str, to: int) -> Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
        environment |= {
            "KEI_DATA_DIR": str(self.home),
            "KEI_URL": self.url,
            "KEI_PORT": str(self.port),
            "COLUMNS": "200",
        }
        if self.kafka:
            environment["KEI_KAFKA_BOOTSTRAP_SERVERS"] = self.kafka
        return await asyncio.create_subprocess_exec(
            *KEI,
            *command,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=to,
            stderr=asyncio.subprocess.STDOUT,
        )

    def _end_postgres(self, how: signal.Signals) -> None:
        """End it by the process id in its lock file; no other server is affected. SIGKILL leaves its shared memory."""
        try:
            master = psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))
            family = [master, *master.children(recursive=True)]
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        if master.name() != "postgres":
            return
        for process in family if how == signal.SIGKILL else [master]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(how)
        psutil.wait_procs(family, timeout=5)
