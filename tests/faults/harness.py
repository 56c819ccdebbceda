"""A producer and a consumer in separate processes between two databases, with a count of events and effects."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import TextClause, text

from shared import clock, outbox
from shared.db import Database
from shared.messaging_tables import MESSAGING_TABLES
from tests.faults.checks import Event, examine
from tests.faults.report import SEED, Result, count
from tests.faults.worker_process import READY, SINK, TASKS, Spec
from tests.faults.workload import AGGREGATE, KEYS, Writers
from tests.support.kei import ROOT
from tests.support.waiting import eventually

_WRITTEN = text("SELECT id, key, version FROM outbox ORDER BY seq")
_POSITIONS = text("SELECT position FROM outbox WHERE position IS NOT NULL ORDER BY position")
_HANDLED = text("SELECT event_id, key, version FROM effect ORDER BY n")
_EFFECTS = text("SELECT count(*) FROM effect")
_STALL = text(
    "SELECT coalesce(max(extract(epoch FROM pause)), 0)::float8"
    " FROM (SELECT at - lag(at) OVER (ORDER BY n) AS pause FROM effect) AS pauses"
)
_UNSENT = text("SELECT count(*) FROM outbox WHERE position IS NULL OR position > (SELECT sent FROM outbox_relay)")
_STORED_RECORDS = text("SELECT count(*) FROM inbox WHERE encode(key, 'escape') LIKE :prefix")
_COUNT = "SELECT count(*) FROM {} WHERE key BETWEEN :first AND :last"
_WRITTEN_COUNT, _HANDLED_COUNT = text(_COUNT.format("outbox")), text(_COUNT.format("effect"))
_OPEN = text("SELECT count(*) FROM inbox WHERE state = 'pending'")


class WorkerProcess:
    """A process that relays, consumes or both."""

    def __init__(self, spec: Spec, log: Path, environment: Mapping[str, str]) -> None:
        self._spec, self._log, self._environment = spec, log, environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    async def start(self, *crash: str) -> None:
        """Start, and return when its loops run. `crash`: the name of a failpoint, and at which passing to die there."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.worker_process", self._spec.model_dump_json(), *crash),
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await eventually(lambda: READY in self.output() or self.process.returncode is not None, 30.0)

    def output(self) -> str:
        """What it has logged since its start."""
        return self._log.read_text()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)

    def block(self) -> None:
        """Block its event loop for `Spec.blocks` seconds."""
        self.process.send_signal(signal.SIGUSR1)

    async def tasks(self, deadline: float = 2.0) -> int | None:
        """The number of tasks of its event loop; None if it is not ready or does not report in time."""
        if READY not in self.output():
            return None
        before = self.output().count(TASKS)
        self.process.send_signal(signal.SIGUSR2)
        try:
            await eventually(lambda: self.output().count(TASKS) != before and self.output().endswith("\n"), deadline)
        except AssertionError:
            return None
        return int(self.output().rpartition(TASKS)[2].split()[0])

    async def stop(self, deadline: float = 20.0) -> int:
        """Stop it gracefully; return its exit status."""
        self.process.terminate()
        return await self.wait_for_exit(deadline)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def wait_for_exit(self, deadline: float = 30.0) -> int:
        """Wait until it has ended by itself; return its exit status."""
        async with asyncio.timeout(deadline):
            return await self.process.wait()


class FaultHarness:
    """Two databases, the transport and the worker processes between them."""

    def __init__(
        self, databases: tuple[Database, Database], urls: tuple[str, str], kafka: str | None, folder: Path
    ) -> None:
        self.source, self.sink = databases
        self.kafka = kafka
        self._urls, self._folder = urls, folder
        self._workers: list[WorkerProcess] = []
        self.consumer = f"f{uuid4().hex[:12]}"
        self.environment: dict[str, str] = {}
        base = uuid4().int & ~0xFFFF
        self.keys = [UUID(int=base + number) for number in range(KEYS)]
        self.key_prefix = str(self.keys[0])[:-4]
        self.rng = random.Random(SEED)

    def writers(self, **options: float) -> Writers:
        """Writers on the source database, with the seed of the run."""
        return Writers(self.source, self.keys, self.rng, **options)

    @asynccontextmanager
    async def writing(self, **options: float) -> AsyncIterator[Writers]:
        """Run writers until the block ends."""
        writers = self.writers(**options)
        work = asyncio.create_task(writers.run())
        try:
            yield writers
        finally:
            work.cancel()
            await asyncio.wait([work])

    def spec(self, **options: Any) -> Spec:
        """The spec of a worker process of this harness."""
        source, sink = self._urls
        defaults = {
            "source": source,
            "sink": sink,
            "kafka": self.kafka,
            "consumer": self.consumer,
            "key_prefix": self.key_prefix,
        }
        return Spec(**{**defaults, **options})

    async def start_process(self, *crash: str, **spec: Any) -> WorkerProcess:
        """Start a process, by default with a relay and a consumer."""
        self._workers.append(
            WorkerProcess(self.spec(**spec), self._folder / f"worker-{len(self._workers)}.log", self.environment)
        )
        await self._workers[-1].start(*crash)
        return self._workers[-1]

    async def start_pair(self, **spec: Any) -> list[WorkerProcess]:
        """Start a producer and a consumer: two processes on Kafka, one on the local transport."""
        if self.kafka is None:
            return [await self.start_process(**spec)]
        return [await self.start_process(consumes=False, **spec), await self.start_process(relays=False, **spec)]

    async def end(self) -> None:
        """Kill all processes."""
        for worker in self._workers:
            worker.resume()
            await worker.kill()

    async def wait_until_drained(self, deadline: float = count(120, 600)) -> None:
        """Wait until every committed event has been sent and handled."""
        await eventually(self._is_drained, deadline)

    async def _is_drained(self) -> bool:
        async with self.source.reading() as source, self.sink.reading() as sink:
            if await source.scalar(_UNSENT) or await sink.scalar(_OPEN):
                return False
            key_range = {"first": self.keys[0], "last": self.keys[-1]}
            written, seen = await source.scalar(_WRITTEN_COUNT, key_range), await sink.scalar(_HANDLED_COUNT, key_range)
            return (seen or 0) >= (written or 0)

    async def effects(self) -> int:
        """The number of effects so far."""
        async with self.sink.reading() as session:
            return int(await session.scalar(_EFFECTS) or 0)

    async def written(self) -> list[Event]:
        """The events in the outbox so far, without those that a test has written under other keys."""
        return await self._events(self.source, _WRITTEN)

    async def seen(self) -> list[Event]:
        """The effects of this harness's events so far; other events use the same topics."""
        return await self._events(self.sink, _HANDLED)

    async def _events(self, database: Database, query: TextClause) -> list[Event]:
        keys = set(self.keys)
        async with database.reading() as session:
            rows = [Event(UUID(str(row[0])), UUID(str(row[1])), row[2]) for row in await session.execute(query)]
        return [event for event in rows if event.key in keys]

    async def result(self, fault: str, injected: int, writers: Writers, healed: float) -> Result:
        """Wait until all events are handled, then count."""
        await self.wait_until_drained()
        recovery = time.monotonic() - healed
        async with self.source.reading() as source, self.sink.reading() as sink:
            positions = list((await source.scalars(_POSITIONS)).all())
            stall = await sink.scalar(_STALL)
            arrived = await sink.scalar(text("SELECT records FROM arrival"))
            stored = await sink.scalar(_STORED_RECORDS, {"prefix": f"{self.key_prefix}%"})
        written, seen = await self.written(), await self.seen()
        return Result(
            fault=fault,
            transport="kafka" if self.kafka else "local",
            injected=injected,
            acked=len(writers.acked),
            seen=len({event.id for event in seen}),
            raw_dup=(arrived or 0) - (stored or 0),
            stall=stall or 0.0,
            recovery=recovery,
            findings=examine(writers.acked, written, seen, positions),
        )


@asynccontextmanager
async def fault_harness(
    create: Callable[[], Awaitable[str]],
    kafka: str | None,
    folder: Path,
    *,
    via: Callable[[str], str] | None = None,
    pool: int = 40,
) -> AsyncIterator[FaultHarness]:
    """A harness on two new databases of `create`; its processes connect through `via` if given."""
    direct = (await create(), await create())
    urls = (via(direct[0]), via(direct[1])) if via else direct
    source, sink = (Database(url, name="harness", pool_size=pool) for url in direct)
    harness = FaultHarness((source, sink), urls, kafka, folder)
    try:
        await _prepare(harness)
        yield harness
    finally:
        await harness.end()
        await source.close()
        await sink.close()


async def _prepare(harness: FaultHarness) -> None:
    for database, more in ((harness.source, (AGGREGATE,)), (harness.sink, SINK)):
        async with database.transaction() as tx:
            for statement in (*MESSAGING_TABLES, *more):
                await tx.execute(text(statement))
    await outbox.maintain_partitions(harness.source, clock.now())
    async with harness.source.transaction() as tx:
        await tx.execute(text("INSERT INTO aggregate (key) VALUES (:key)"), [{"key": key} for key in harness.keys])
