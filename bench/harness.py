"""Rounds, and what is made of them: every variant once a round, each time in another order; ratios within a round.

The machine's speed drifts by more than most differences that matter, so a ratio is formed inside each round, where
both sides had the same machine, and the median of the rounds' ratios is what counts.
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
"""What one run of a variant gave, by name: `rate` (per second), `cpu` (us of this process per item), `p50` (ms), …"""
Variant = Callable[[], Awaitable[Metrics]]
Rounds = Mapping[str, Sequence[Metrics]]
"""The metrics of every round, by variant."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that is wanted: `ours` to `peer` in `metric`, at least (or at most) `bound`; None: only told."""

    row: str
    what: str
    ours: str
    peer: str
    bound: float | None = None
    at_most: bool = False
    metric: str = "rate"

    def ratios(self, rounds: Rounds) -> list[float]:
        """One for each round."""
        pairs = zip(rounds[self.ours], rounds[self.peer], strict=True)
        return [ours[self.metric] / peer[self.metric] for ours, peer in pairs]

    def met(self, ratio: float) -> bool:
        """Whether that ratio is good enough."""
        return self.bound is None or (ratio <= self.bound if self.at_most else ratio >= self.bound)


@dataclass(slots=True)
class Bench:
    """Variants that are measured together.

    Args:
        title: what an item is, and what is done with it.
        variants: by name; each prepares what it needs outside of its clock.
        goals: what is read from them.
        slices: how often each variant runs within a round, alternating; for small differences.
        warm: how often each variant runs before the first round, uncounted; a broker's compiler needs some.
        at_most: rounds that are worth their time, however many are asked for.
    """

    title: str
    variants: dict[str, Variant]
    goals: list[Goal] = field(default_factory=list)
    slices: int = 1
    warm: int = 1
    at_most: int = 1000


class Watch:
    """Wall and processor time of a block."""

    def __init__(self) -> None:
        self._wall, self._processor = perf_counter(), process_time()
        self.seconds = self.processor = 0.0

    def stop(self) -> None:
        """Read the clocks."""
        self.seconds, self.processor = perf_counter() - self._wall, process_time() - self._processor

    def per(self, items: int) -> Metrics:
        """Items a second, and us of this process's processor time for one."""
        return {"rate": items / self.seconds, "cpu": self.processor / items * 1e6}


@contextmanager
def watch() -> Iterator[Watch]:
    """Measure a block; nothing is collected as garbage from before it."""
    gc.collect()
    running = Watch()
    yield running
    running.stop()


async def measured(bench: Bench, rounds: int, tell: Callable[[str], None]) -> Rounds:
    """Run the rounds of a bench."""
    names = list(bench.variants)
    found: dict[str, list[Metrics]] = {name: [] for name in names}
    for _ in range(bench.warm):
        for name in names:
            await bench.variants[name]()
    for number in range(min(rounds, bench.at_most)):
        slices: dict[str, list[Metrics]] = defaultdict(list)
        for turn in range(bench.slices):
            shift = (number + turn) % len(names)
            for name in names[shift:] + names[:shift]:
                slices[name].append(await bench.variants[name]())
        for name in names:
            found[name].append(_mean(slices[name]))
            tell(f"  round {number + 1} {name}: {shown(found[name][-1])}")
    return found


def _mean(slices: Sequence[Metrics]) -> Metrics:
    return {name: fmean(one[name] for one in slices) for name in slices[0]}


def shown(metrics: Metrics) -> str:
    """The metrics on one line."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def number(value: float) -> str:
    """As many digits as are worth reading."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def middle(metrics: Sequence[Metrics], name: str) -> tuple[float, float, float]:
    """Median, least and greatest of the rounds."""
    values = [one[name] for one in metrics]
    return median(values), min(values), max(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def open_loop(rate: float, count: int, act: Callable[[int], Awaitable[None]]) -> None:
    """Begin `act` that many times at that rate, whether or not the earlier ones have ended; wait for all."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as group:
        for place in range(count):
            await asyncio.sleep(max(begun + place / rate - loop.time(), 0))
            group.create_task(_awaited(act(place)))


async def _awaited(action: Awaitable[None]) -> None:
    await action


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
