"""Rounds and ratios: each round runs every variant once, each time in another order.

The machine's speed drifts more than most differences of interest. Therefore a ratio is computed within each round, and
the median of these ratios is the result.
"""

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from statistics import fmean, median
from time import perf_counter, process_time

Metrics = Mapping[str, float]
"""The results of one run of a variant: `rate` (per second), `cpu` (us of this process per item), `p50` (ms), …"""
Variant = Callable[[], Awaitable[Metrics]]
Rounds = Mapping[str, Sequence[Metrics]]
"""The metrics of every round, by variant."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The wanted ratio of `ours` to `peer` in `metric`: at least (or at most) `bound`; None: report only."""

    row: str
    what: str
    ours: str
    peer: str
    bound: float | None = None
    at_most: bool = False
    metric: str = "rate"

    def ratios(self, rounds: Rounds) -> list[float]:
        """The ratio of each round."""
        pairs = zip(rounds[self.ours], rounds[self.peer], strict=True)
        return [ours[self.metric] / peer[self.metric] for ours, peer in pairs]

    def met(self, ratio: float) -> bool:
        """Whether the ratio reaches the goal."""
        return self.bound is None or (ratio <= self.bound if self.at_most else ratio >= self.bound)


@dataclass(slots=True)
class Bench:
    """Variants that are measured together.

    Args:
        title: what an item is and what is measured.
        variants: by name; each prepares its data before its clock starts.
        goals: the ratios to report.
        slices: runs of each variant in a round, alternating; for small differences.
        warm: runs of each variant before the first round, which are not counted; a JVM needs some.
        at_most: maximum number of rounds.
    """

    title: str
    variants: dict[str, Variant]
    goals: list[Goal] = field(default_factory=list)
    slices: int = 1
    warm: int = 1
    at_most: int = 1000


class Watch:
    """Wall and CPU time of a block."""

    def __init__(self) -> None:
        self._wall, self._processor = perf_counter(), process_time()
        self.seconds = self.processor = 0.0

    def stop(self) -> None:
        """Store the elapsed times."""
        self.seconds, self.processor = perf_counter() - self._wall, process_time() - self._processor

    def per(self, items: int) -> Metrics:
        """Items a second, and CPU time of this process per item in us."""
        return {"rate": items / self.seconds, "cpu": self.processor / items * 1e6}


@contextmanager
def watch() -> Iterator[Watch]:
    """Measure a block, after a garbage collection."""
    gc.collect()
    running = Watch()
    yield running
    running.stop()


async def measured(bench: Bench, rounds: int, log: Callable[[str], None]) -> Rounds:
    """Run the rounds of a bench."""
    names = list(bench.variants)
    results: dict[str, list[Metrics]] = {name: [] for name in names}
    for _ in range(bench.warm):
        for name in names:
            await bench.variants[name]()
    for number in range(min(rounds, bench.at_most)):
        slices: dict[str, list[Metrics]] = defaultdict(list)
        for repetition in range(bench.slices):
            shift = (number + repetition) % len(names)
            for name in names[shift:] + names[:shift]:
                slices[name].append(await bench.variants[name]())
        for name in names:
            results[name].append(_mean(slices[name]))
            log(f"  round {number + 1} {name}: {shown(results[name][-1])}")
    return results


def _mean(slices: Sequence[Metrics]) -> Metrics:
    return {name: fmean(metrics[name] for metrics in slices) for name in slices[0]}


def shown(metrics: Metrics) -> str:
    """The metrics on one line."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def number(value: float) -> str:
    """Three significant digits, or an integer from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def middle(metrics: Sequence[Metrics], name: str) -> tuple[float, float, float]:
    """Median, minimum and maximum of the rounds."""
    values = [round_metrics[name] for round_metrics in metrics]
    return median(values), min(values), max(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def open_loop(rate: float, count: int, action: Callable[[int], Awaitable[None]]) -> None:
    """Start `action` `count` times at a constant rate without waiting for earlier ones, then wait for all."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.TaskGroup() as group:
        for index in range(count):
            await asyncio.sleep(max(started + index / rate - loop.time(), 0))
            group.create_task(_as_coroutine(action(index)))


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


@asynccontextmanager
async def running(*loops: Awaitable[None]) -> AsyncIterator[None]:
    """Run endless loops until the block ends."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
