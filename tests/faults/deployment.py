"""Services in separate processes, as in a deployment, and a gateway in front of them."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from shared.auth import Role
from tests.support import factories
from tests.support.kafka_local import free_ports
from tests.support.kei import KEI, ROOT, START_TIMEOUT, STOP_TIMEOUT
from tests.support.waiting import eventually, passing

WATCH_EVERY = 0.1
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_LIMITS = httpx2.Limits(max_connections=None, keepalive_expiry=2.0)
"""Connections are given up before the server does it, as a gateway has to be set up."""


class Instance:
    """A process that serves a service; it can be restarted on its port.

    Args:
        service: its name.
        url: of its database.
        folder: for its log and the issuer's keys.
        kafka: host:port; by default the local transport.
        patience: seconds after which a slow reader of a stream is disconnected, on the local transport.
    """

    def __init__(
        self, service: str, url: str, folder: Path, *, kafka: str | None = None, patience: float = 60.0
    ) -> None:
        self.port = free_ports()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        alone = (sys.executable, "-m", "tests.faults.service_process", service, str(self.port), str(patience))
        self._command = (*KEI, "serve", service, "--port", str(self.port)) if kafka else alone
        keys = folder / "jwks.json"
        keys.write_text(json.dumps(factories.ISSUER.jwks()))
        settings = {
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka or "",
            "JWKS_URL": str(keys),
            "CURSOR_SECRET": "c" * 32,
        }
        settings |= {"ISSUER": "http://issuer.test", "AUDIENCE": "kei"}
        others = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
        self._environment = others | {f"KEI_{name}": value for name, value in settings.items() if value}
        self._log = folder / f"{service}-{self.port}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    async def start(self) -> None:
        """Start it, and return when it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with client(self.url) as http:
            await eventually(lambda: self._answers(http), START_TIMEOUT)

    async def _answers(self, http: httpx2.AsyncClient) -> bool:
        assert self.process.returncode is None, self.output()[-3000:]
        return await is_ready(http)

    def output(self) -> str:
        """Its log since the first start."""
        return self._log.read_text()

    async def stop(self) -> int:
        """Stop it gracefully; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_TIMEOUT):
            return await self.process.wait()

    async def end(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def client(url: str, headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    """A client of the service at `url`, by default as an operator."""
    caller = headers or factories.signed_in(Role.operator)
    return httpx2.AsyncClient(base_url=url, headers=caller, timeout=_TIMEOUT, limits=_LIMITS, trust_env=False)


async def is_ready(http: httpx2.AsyncClient) -> bool:
    """Whether an instance reports that it is ready."""
    try:
        return (await http.get("/readyz", timeout=1.0)).status_code == 200
    except httpx2.TransportError:
        return False


@asynccontextmanager
async def running(*instances: Instance) -> AsyncIterator[None]:
    """Run the instances until the block ends."""
    try:
        await asyncio.gather(*(instance.start() for instance in instances))
        yield
    finally:
        await asyncio.gather(*(instance.end() for instance in instances))


class Gateway:
    """A gateway: it checks which instances are ready, and retries refused connections at another instance."""

    def __init__(self, doors: Sequence[tuple[str, httpx2.AsyncClient]]) -> None:
        self._doors = dict(doors)
        self._ready = set(self._doors)
        self._turns = itertools.count()
        self.moved = 0
        """Requests that were tried elsewhere, since an instance had left before its leaving was seen."""

    def in_turn(self) -> list[str]:
        """The instances in the order in which to try them: ready instances first, and another one first each time."""
        urls = list(self._doors)
        turn = next(self._turns) % len(urls)
        return sorted(urls[turn:] + urls[:turn], key=lambda url: url not in self._ready)

    def sees_all(self) -> bool:
        """Whether every instance was ready at the last check."""
        return len(self._ready) == len(self._doors)

    async def watch(self) -> None:
        """Check each instance regularly, until cancelled."""
        await asyncio.gather(*(self._watch(url) for url in self._doors))

    async def _watch(self, url: str) -> None:
        while True:
            (self._ready.add if await is_ready(self._doors[url]) else self._ready.discard)(url)
            await passing(WATCH_EVERY)

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request. Only a refused connection is retried elsewhere: a sent request may have had its effect.

        Raises:
            httpx2.TransportError: no instance accepted the request, or an instance accepted it and did not respond.
        """
        for url in self.in_turn():
            with suppress(httpx2.ConnectError):
                return await self._doors[url].request(method, path, **options)
            self.moved += 1
        raise httpx2.ConnectError("no instance takes connections")


@asynccontextmanager
async def gateway(*urls: str) -> AsyncIterator[Gateway]:
    """A gateway in front of the instances at these addresses."""
    async with AsyncExitStack() as stack:
        made = Gateway([(url, await stack.enter_async_context(client(url))) for url in urls])
        watching = asyncio.create_task(made.watch())
        try:
            yield made
        finally:
            watching.cancel()
            await asyncio.wait([watching])
