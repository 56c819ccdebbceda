"""HTTP: a cluster read and its capacity changed, compared with FastAPI and SQLAlchemy's ORM."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import httpx2
import psutil

from bench.harness import Bench, Goal, Metrics, Variant
from bench.http_server import AUDIENCE, NAME
from bench.servers import Servers
from deploy.migrate import upgrade
from shared import clock, outbox
from shared.auth import Issuer, Principal, Role
from shared.db import Database
from tests.support.kafka_local import free_ports
from tests.support.waiting import eventually

CONNECTIONS = 32
SECONDS = 3.0
_ROOT = Path(__file__).parents[1]
_CONSORTIUM = "INSERT INTO consortium VALUES ($1, $2, 'C', 'P', '2026-01-01', '2027-01-01', NULL, 1)"
_CLUSTER = """
    INSERT INTO cluster (id, consortium_id, slug, name, country, ecosystems, languages, value_chain_stages, label,
                         illustrative, mentor_capacity, learner_capacity, version)
    VALUES ($1, $2, $3, $3, 'HU', '{textiles,digital}', '{hu,en}', '{design,production}', 'gold', '{}', 1, 1, 1)
"""


class ServerProcess:
    """One of the two servers, with clusters in its own database."""

    def __init__(self, kind: str, key: Path) -> None:
        self._kind, self._key = kind, key
        self._port = free_ports()[0]
        self._clusters: list[tuple[str, int]] = []
        self._process: Process | None = None

    async def prepare(self, url: str) -> None:
        """Migrate the database and insert clusters."""
        await upgrade("members", url)
        database = Database(url, name="bench")
        await outbox.maintain_partitions(database, clock.now())
        await database.close()
        connection = await asyncpg.connect(url)
        consortium = clock.new_id()
        await connection.execute(_CONSORTIUM, consortium, "c")
        for number in range(CONNECTIONS):
            cluster = clock.new_id()
            await connection.execute(_CLUSTER, cluster, consortium, f"cluster-{number}")
            self._clusters.append((str(cluster), 1))
        await connection.close()

    @asynccontextmanager
    async def running(self, url: str) -> AsyncIterator[None]:
        """Run the server until the block ends."""
        command = (sys.executable, "-m", "bench.http_server", self._kind, str(self._port), url, str(self._key))
        self._process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdin=DEVNULL)
        try:
            async with httpx2.AsyncClient(trust_env=False) as http:
                await eventually(lambda: self._is_up(http), deadline=30)
            yield
        finally:
            self._process.terminate()
            await self._process.wait()

    async def _is_up(self, http: httpx2.AsyncClient) -> bool:
        try:
            await http.get(f"http://127.0.0.1:{self._port}/")
        except httpx2.TransportError:
            return False
        return True

    async def run_load(self, token: str, kind: str) -> Metrics:
        """Put load on the server for some seconds."""
        assert self._process is not None  # noqa: S101  called while it runs
        server = psutil.Process(self._process.pid)
        command = (sys.executable, "-m", "bench.http_load", str(self._port), str(SECONDS), kind)
        client = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdin=PIPE, stdout=PIPE)
        before = server.cpu_times()
        output, _ = await client.communicate(json.dumps({"token": token, "clusters": self._clusters}).encode())
        after = server.cpu_times()
        result = json.loads(output)
        if result["failed"]:
            message = f"{self._kind}: {result['failed']} of {result['requests']} requests did not return 200"
            raise RuntimeError(message)
        self._clusters = [(id, version) for (id, _), version in zip(self._clusters, result["versions"], strict=True)]
        cpu_seconds = after.user + after.system - before.user - before.system
        return {name: result[name] for name in ("rate", "p50", "p99")} | {"cpu": cpu_seconds / result["requests"] * 1e6}


@asynccontextmanager
async def http_bench(servers: Servers) -> AsyncIterator[Bench]:
    """Reads and writes over HTTP."""
    key = servers.root / "issuer.json"
    issuer = Issuer.load(key, issuer=NAME, audience=AUDIENCE)
    token = issuer.token(Principal("bench", frozenset({Role.operator})), timedelta(hours=2))
    async with AsyncExitStack() as stack:
        kinds = {"kei": "kei: members", "orm": "FastAPI + SQLAlchemy ORM"}
        server_processes = {}
        for kind in kinds:
            url = await stack.enter_async_context(servers.database())
            server_processes[kind] = ServerProcess(kind, key)
            await server_processes[kind].prepare(url)
            await stack.enter_async_context(server_processes[kind].running(url))
        variants: dict[str, Variant] = {
            f"{name}, {verb}": partial(server_processes[kind].run_load, token, mode)
            for verb, mode in (("PUT", "write"), ("GET", "read"))
            for kind, name in kinds.items()
        }
        goals: list[Goal] = []
        for verb, bound in (("PUT", 2.2), ("GET", 2)):
            goal = partial(Goal, "http", ours=f"kei: members, {verb}", peer=f"FastAPI + SQLAlchemy ORM, {verb}")
            goals.append(goal(f"{verb}/s to FastAPI + ORM", bound=bound))
            goals.append(goal(f"{verb} p99 to FastAPI + ORM", bound=0.6, at_most=True, metric="p99"))
        yield Bench("requests of 32 connections for 3 s", variants, goals)
