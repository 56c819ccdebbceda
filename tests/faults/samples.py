"""Measurements of a long run every few seconds, and the growth of each figure."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import mean
from typing import NamedTuple
from uuid import UUID

import psutil
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.db import Database
from tests.faults.harness import FaultHarness, WorkerProcess

_MB = 1024 * 1024
_SIZE = """
    SELECT pg_total_relation_size('{0}') + (
        SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree('{0}')
    ), count(*) FROM {0}
"""
_PUT = text("SELECT seq, id, time FROM outbox WHERE seq > :after ORDER BY seq")
_SEEN = text("SELECT n, event_id, at FROM effect WHERE n > :after ORDER BY n")
AWAY = (SQLAlchemyError, OSError, TimeoutError)
_OPEN = text("SELECT count(*) FROM inbox WHERE state = 'pending'")
_BACK = 1000
"""How far back to look for events that were committed later than others with a higher number."""


class Process(NamedTuple):
    """The current figures of a worker process: its id and age in seconds among them."""

    life: int
    age: float
    rss: float
    files: int
    tasks: int | None


class Table(NamedTuple):
    """The size of a table with its indexes in MB, and its number of rows."""

    size: float
    rows: int


@dataclass(frozen=True)
class Sample:
    """The figures at one moment.

    `pending` events have arrived and are not handled yet. `p99` is in milliseconds, from the commit of an event to its
    effect, over all effects since the previous sample.
    """

    at: float
    fault: str
    workers: list[Process | None]
    outbox: Table | None
    inbox: Table | None
    pending: int | None
    p99: float | None

    def line(self) -> str:
        """The sample as a line of the table."""
        workers = [
            _cell(worker and worker.rss, 1) + _cell(worker and worker.files) + _cell(worker and worker.tasks)
            for worker in self.workers
        ]
        tables = [_cell(table and table.size, 1) + _cell(table and table.rows) for table in (self.outbox, self.inbox)]
        return "".join(
            [f"{self.at:7.0f}", *workers, *tables, _cell(self.pending), f"{_cell(self.p99):>9}", f"  {self.fault}"]
        )


def head(workers: int) -> str:
    """The header of the samples' table."""
    each = "".join(f"{f'RSS {n}':>7}{'fds':>7}{'tasks':>7}" for n in range(1, workers + 1))
    return f"{'s':>7}{each}{'out MB':>7}{'rows':>7}{'in MB':>7}{'rows':>7}{'open':>7}{'p99 ms':>9}  fault"


def _cell(value: float | None, digits: int = 0) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.{digits}f}"


@dataclass
class Sampler:
    """Takes samples of a harness."""

    harness: FaultHarness
    workers: Sequence[WorkerProcess]
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    _written: dict[UUID, datetime] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def look(self, fault: str) -> Sample:
        """Take a sample; `fault` is the fault since the previous sample."""
        workers = [await _process(worker) for worker in self.workers]
        outbox, inbox = await _table(self.harness.source, "outbox"), await _table(self.harness.sink, "inbox")
        measures = await self._pending(), await self._p99()
        self.samples.append(Sample(time.monotonic() - self.began, fault, workers, outbox, inbox, *measures))
        return self.samples[-1]

    async def _pending(self) -> int | None:
        try:
            async with self.harness.sink.reading() as session:
                count: int | None = await session.scalar(_OPEN)
        except AWAY:
            return None
        return count

    async def _p99(self) -> float | None:
        try:
            async with self.harness.sink.reading() as session:
                seen = (await session.execute(_SEEN, {"after": self._read["effect"]})).all()
            async with self.harness.source.reading() as session:
                put = (await session.execute(_PUT, {"after": self._read["outbox"] - _BACK})).all()
        except AWAY:
            return None
        self._written |= {UUID(str(id)): at for _, id, at in put}
        self._read["outbox"] = max([seq for seq, _, _ in put], default=self._read["outbox"])
        self._read["effect"] = max([n for n, _, _ in seen], default=self._read["effect"])
        known = [(at, self._written.get(UUID(str(id)))) for _, id, at in seen]
        delays = sorted((at - written).total_seconds() * 1000 for at, written in known if written is not None)
        return delays[len(delays) * 99 // 100] if delays else None


async def _process(worker: WorkerProcess) -> Process | None:
    """The figures of a process; None while it is dead."""
    try:
        process = psutil.Process(worker.process.pid)
        with process.oneshot():
            asleep = process.status() == psutil.STATUS_STOPPED
            age, rss = time.time() - process.create_time(), process.memory_info().rss / _MB
        return Process(process.pid, age, rss, process.num_fds(), None if asleep else await worker.tasks())
    except (psutil.Error, ProcessLookupError):
        return None


async def _table(database: Database, name: str) -> Table | None:
    """The figures of a table; None while the database is absent."""
    try:
        async with database.reading() as session:
            size, rows = (await session.execute(text(_SIZE.format(name)))).one()
    except AWAY:
        return None
    return Table(size / _MB, rows)


Point = tuple[int, float, float]
"""Which life, when (s), and how much."""


def slope(points: Iterable[Point]) -> float | None:
    """Growth per hour by least squares. Each process has its own level, since a new process begins low."""
    lives: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for life, at, value in points:
        lives[life].append((at / 3600, value))
    across = along = 0.0
    for series in lives.values():
        middle, level = mean(at for at, _ in series), mean(value for _, value in series)
        across += sum((at - middle) * (value - level) for at, value in series)
        along += sum((at - middle) ** 2 for at, _ in series)
    return across / along if along else None


def slopes(samples: Sequence[Sample], warm: float) -> dict[str, float | None]:
    """The growth of each figure per hour, without the first `warm` seconds of each process."""
    series: dict[str, list[Point]] = {}
    for number in range(len(samples[0].workers)):
        lives = [(sample.at, worker) for sample in samples if (worker := sample.workers[number]) and worker.age > warm]
        series[f"RSS {number + 1}, MB"] = [(worker.life, at, worker.rss) for at, worker in lives]
        series[f"fds {number + 1}"] = [(worker.life, at, worker.files) for at, worker in lives]
        series[f"tasks {number + 1}"] = [
            (worker.life, at, worker.tasks) for at, worker in lives if worker.tasks is not None
        ]
    for name, tables in (
        ("outbox", [(sample.at, sample.outbox) for sample in samples]),
        ("inbox", [(sample.at, sample.inbox) for sample in samples]),
    ):
        there = [(at, table) for at, table in tables if table and at > warm]
        series[f"{name}, MB"] = [(0, at, table.size) for at, table in there]
        series[f"{name}, rows"] = [(0, at, table.rows) for at, table in there]
        series[f"{name}, bytes a row"] = [(0, at, table.size * _MB / table.rows) for at, table in there if table.rows]
    quiet = [
        (0, sample.at, sample.p99)
        for sample in samples
        if sample.p99 is not None and not sample.fault and sample.at > warm
    ]
    series["p99 without a fault, ms"] = quiet
    return {name: slope(points) for name, points in series.items()}
