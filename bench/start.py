"""The embedded mode as a user starts it: time to ready, resident memory, time of the sample data."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter

import asyncpg
import psutil
from sqlalchemy.engine import make_url

from bench.harness import Bench, Metrics, Variant
from bench.servers import Servers
from bench.world import OUTBOX_COLUMNS, as_row, events
from tests.support.kafka_local import available, free_ports
from tests.support.kei import Kei
from tests.support.postgres import from_wheel
from tests.support.run import Run
from tests.support.waiting import eventually

EVENTS = 100_000
_CHUNK = 20_000
_DEADLINE = 240.0
_UNSENT = "SELECT (SELECT count(*) FROM outbox) - (SELECT sent FROM outbox_relay)"
_PENDING = "SELECT count(*) FROM inbox WHERE state = 'pending'"
_CONSUMERS = ("trainings", "matching", "notifications")
_KEI = (sys.executable, "-P", "-c", "from deploy.cli import app; app(prog_name='kei')")


def _folder(servers: Servers) -> Path:
    folder = Path(mkdtemp(prefix="kei-", dir=servers.root))
    folder.chmod(0o755)
    return folder


async def _to_ready(kei: Kei) -> float:
    started = perf_counter()
    await kei.start("--no-import")
    await kei.ready()
    return perf_counter() - started


async def _cold(servers: Servers) -> Metrics:
    kei = Kei(_folder(servers))
    try:
        return {"seconds": await _to_ready(kei)}
    finally:
        await kei.end()


async def _warm(kei: Kei) -> Metrics:
    seconds = await _to_ready(kei)
    await kei.stop()
    return {"seconds": seconds}


@asynccontextmanager
async def start(servers: Servers) -> AsyncIterator[Bench]:
    """Time until Kei is ready."""
    kei = Kei(_folder(servers))
    try:
        await _warm(kei)
        variants: dict[str, Variant] = {"empty folder": partial(_cold, servers), "existing folder": partial(_warm, kei)}
        yield Bench("from `kei run --no-import` to ready, embedded", variants, warm=0, at_most=3)
    finally:
        await kei.end()


def _memory() -> Metrics:
    """Resident memory of the process of Kei, without PostgreSQL."""
    processes = psutil.Process().children(recursive=True)
    kei_process = next(process for process in processes if "deploy.cli" in " ".join(process.cmdline()))
    return {"mib": kei_process.memory_info().rss / 2**20}


async def _memory_before_and_after(servers: Servers) -> AsyncGenerator[Metrics, None]:
    """Yield the memory at rest, then after all consumers have handled all events."""
    kei = Kei(_folder(servers))
    try:
        await kei.start("--no-import")
        await kei.ready()
        await asyncio.sleep(3)  # until all background loops have run once
        yield _memory()
        started = perf_counter()
        await _handle_events(servers, kei)
        yield {**_memory(), "rate": EVENTS / (perf_counter() - started)}
    finally:
        await kei.end()


async def _handle_events(servers: Servers, kei: Kei) -> None:
    server = from_wheel(Run(servers.root), kei.home / "postgres")
    server.ensure_postgres_running()
    url = make_url(server.get_uri())
    async with AsyncExitStack() as stack:
        connections = {}
        for name in ("members", *_CONSUMERS):
            service_url = url.set(database=name).render_as_string(hide_password=False)
            connections[name] = await asyncpg.connect(service_url)
            stack.push_async_callback(connections[name].close)
        rows = [as_row(event) for event in events(EVENTS)]
        for start_row in range(0, EVENTS, _CHUNK):
            chunk = rows[start_row : start_row + _CHUNK]
            await connections["members"].copy_records_to_table("outbox", records=chunk, columns=OUTBOX_COLUMNS)

        async def is_idle() -> bool:
            remaining = [await connections[name].fetchval(_UNSENT) for name in ("members", "notifications")]
            remaining += [await connections[name].fetchval(_PENDING) for name in _CONSUMERS]
            return not any(remaining)

        await eventually(is_idle, deadline=_DEADLINE)


@asynccontextmanager
async def memory(servers: Servers) -> AsyncIterator[Bench]:
    """Resident memory."""
    measurements = _memory_before_and_after(servers)
    try:
        variants: dict[str, Variant] = {
            "at rest": partial(anext, measurements),
            f"after {EVENTS:,} events to three services": partial(anext, measurements),
        }
        yield Bench("resident memory of the embedded process, PostgreSQL's not counted", variants, warm=0, at_most=1)
    finally:
        await measurements.aclose()


async def _story(servers: Servers, kafka: str | None) -> Metrics:
    if kafka:
        await servers.delete_kei_topics()
    folder = _folder(servers)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
    environment |= {"KEI_DATA_DIR": str(folder / "kei"), "KEI_PORT": str(free_ports()[0])}
    if kafka:
        environment["KEI_KAFKA_BOOTSTRAP_SERVERS"] = kafka
    started = perf_counter()
    process = await asyncio.create_subprocess_exec(
        *_KEI,
        "run",
        "--import-only",
        cwd=Path(__file__).parents[1],
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    seconds = perf_counter() - started
    if process.returncode:
        message = f"the story failed: {output.decode()[-500:]}"
        raise RuntimeError(message)
    return {"seconds": seconds}


@asynccontextmanager
async def story(servers: Servers) -> AsyncIterator[Bench]:
    """Time of `kei run --import-only`."""
    variants: dict[str, Variant] = {"over the local transport": partial(_story, servers, None)}
    if available():
        variants["over Kafka"] = partial(_story, servers, await servers.kafka_address())
    yield Bench("`kei run --import-only` in an empty folder, from start to exit", variants, warm=0, at_most=2)
