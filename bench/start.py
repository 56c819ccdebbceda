"""From `kei run` to ready, what it holds in memory, and how long the story takes: one process as a user starts it."""

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
from bench.servers import Stage
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


def _folder(stage: Stage) -> Path:
    made = Path(mkdtemp(prefix="kei-", dir=stage.root))
    made.chmod(0o755)
    return made


async def _to_ready(kei: Kei) -> float:
    begun = perf_counter()
    await kei.start("--no-import")
    await kei.ready()
    return perf_counter() - begun


async def _cold(stage: Stage) -> Metrics:
    kei = Kei(_folder(stage))
    try:
        return {"seconds": await _to_ready(kei)}
    finally:
        await kei.end()


async def _warm(kei: Kei) -> Metrics:
    seconds = await _to_ready(kei)
    await kei.stop()
    return {"seconds": seconds}


@asynccontextmanager
async def start(stage: Stage) -> AsyncIterator[Bench]:
    """To ready."""
    kei = Kei(_folder(stage))
    try:
        await _warm(kei)
        variants: dict[str, Variant] = {"empty folder": partial(_cold, stage), "folder of before": partial(_warm, kei)}
        yield Bench("from `kei run --no-import` to ready, embedded", variants, warm=0, at_most=3)
    finally:
        await kei.end()


def _memory() -> Metrics:
    """Of the process of Kei, and of its PostgreSQL with each shared page counted once."""
    family = psutil.Process().children(recursive=True)
    ours = next(one for one in family if "deploy.cli" in " ".join(one.cmdline()))
    return {"mib": ours.memory_info().rss / 2**20}


async def _at_work(stage: Stage) -> AsyncGenerator[Metrics, None]:
    """At rest, and after the events have been relayed, received and handled by all."""
    kei = Kei(_folder(stage))
    try:
        await kei.start("--no-import")
        await kei.ready()
        await asyncio.sleep(3)  # until the first looks of all loops are over
        yield _memory()
        begun = perf_counter()
        await _worked_through(stage, kei)
        yield {**_memory(), "rate": EVENTS / (perf_counter() - begun)}
    finally:
        await kei.end()


async def _worked_through(stage: Stage, kei: Kei) -> None:
    server = from_wheel(Run(stage.root), kei.home / "postgres")
    server.ensure_postgres_running()
    url = make_url(server.get_uri())
    async with AsyncExitStack() as stack:
        connections = {}
        for name in ("members", *_CONSUMERS):
            place = url.set(database=name).render_as_string(hide_password=False)
            connections[name] = await asyncpg.connect(place)
            stack.push_async_callback(connections[name].close)
        rows = [as_row(event) for event in events(EVENTS)]
        for at in range(0, EVENTS, _CHUNK):
            part = rows[at : at + _CHUNK]
            await connections["members"].copy_records_to_table("outbox", records=part, columns=OUTBOX_COLUMNS)

        async def over() -> bool:
            left = [await connections[name].fetchval(_UNSENT) for name in ("members", "notifications")]
            left += [await connections[name].fetchval(_PENDING) for name in _CONSUMERS]
            return not any(left)

        await eventually(over, deadline=_DEADLINE)


@asynccontextmanager
async def memory(stage: Stage) -> AsyncIterator[Bench]:
    """Memory."""
    stages = _at_work(stage)
    try:
        variants: dict[str, Variant] = {
            "at rest": partial(anext, stages),
            f"after {EVENTS:,} events to three services": partial(anext, stages),
        }
        yield Bench("resident memory of the embedded process, PostgreSQL's not counted", variants, warm=0, at_most=1)
    finally:
        await stages.aclose()


async def _story(stage: Stage, kafka: str | None) -> Metrics:
    if kafka:
        await stage.without_kei()
    folder = _folder(stage)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
    environment |= {"KEI_DATA_DIR": str(folder / "kei"), "KEI_PORT": str(free_ports()[0])}
    if kafka:
        environment["KEI_KAFKA_BOOTSTRAP_SERVERS"] = kafka
    begun = perf_counter()
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
    said, _ = await process.communicate()
    seconds = perf_counter() - begun
    if process.returncode:
        message = f"the story failed: {said.decode()[-500:]}"
        raise RuntimeError(message)
    return {"seconds": seconds}


@asynccontextmanager
async def story(stage: Stage) -> AsyncIterator[Bench]:
    """The story."""
    variants: dict[str, Variant] = {"over the local transport": partial(_story, stage, None)}
    if available():
        variants["over Kafka"] = partial(_story, stage, await stage.kafka())
    yield Bench("`kei run --import-only` in an empty folder, from begin to end", variants, warm=0, at_most=2)
