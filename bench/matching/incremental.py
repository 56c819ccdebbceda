"""One change of a plan: an incremental solve, compared with a solve from scratch."""

import random
from collections.abc import Callable
from functools import cache
from time import perf_counter

import numpy as np

from bench.harness import Bench, Goal, Metrics, percentile, watch
from bench.matching.memory import peak
from bench.matching.world import instance
from services.matching.rules.engine import IncrementalSolver, Problem, check, solve

CHANGES = 600


def change(solver: IncrementalSolver, problem: Problem, chance: random.Random) -> Callable[[], None]:
    """A random change: of a mentor's slots, of a learner's slot, or of a learner's values."""
    mentor, learner = chance.randrange(len(problem.mentor_slots)), chance.randrange(len(problem.learner_slots))
    kind = chance.randrange(3)
    if kind == 0:
        slots = chance.randint(0, 4)
        return lambda: solver.set_mentor_slots(mentor, slots)
    if kind == 1:
        slots = chance.randint(0, 1)
        return lambda: solver.set_learner_slots(learner, slots)
    arcs = int((problem.learner == learner).sum())
    values = np.array([chance.randint(1, 9999) for _ in range(arcs)])
    return lambda: solver.set_learner_values(learner, values)


def _bench(title: str, size: str, make: Callable[[], Problem]) -> Bench:
    """One size."""
    problem = cache(make)
    memory = {
        "incremental": cache(lambda: peak(lambda: IncrementalSolver(problem()))),
        "from scratch": cache(lambda: peak(lambda: solve(problem()))),
    }
    chance = random.Random(1)  # noqa: S311  a draw that has to be the same each time

    async def incremental() -> Metrics:
        current = problem()
        solver = IncrementalSolver(current)
        times = []
        for _ in range(CHANGES):
            apply = change(solver, current, chance)
            begun = perf_counter()
            apply()
            times.append(perf_counter() - begun)
        solved = solver.solved()
        check(solved)
        if solved.bound != solve(solved.problem).bound:
            raise ValueError("The repaired plan is not optimal.")
        times = times[CHANGES // 10 :]
        return {
            "p50": percentile(times, 0.5) * 1e3,
            "p99": percentile(times, 0.99) * 1e3,
            "mib": memory["incremental"](),
        }

    async def from_scratch() -> Metrics:
        current = problem()
        with watch() as running:
            solve(current._replace(value=current.value.copy()))
        return {"p50": running.seconds * 1e3, "p99": running.seconds * 1e3, "mib": memory["from scratch"]()}

    goal = Goal(
        "incremental", f"{size}: from scratch / incremental, p99", "from scratch", "incremental", 200, metric="p99"
    )
    return Bench(title, {"incremental": incremental, "from scratch": from_scratch}, [goal])


def benches() -> dict[str, Bench]:
    """All sizes."""
    return {
        "incremental-10k": _bench("10,000 learners, 50 arcs each", "10,000 x 50", lambda: instance(10_000, 50)),
        "incremental-scarce": _bench(
            "the same, with slots for six learners of ten",
            "10,000 x 50, scarce",
            lambda: instance(10_000, 50, slots=0.6),
        ),
        "incremental-100k": _bench("100,000 learners, 20 arcs each", "100,000 x 20", lambda: instance(100_000, 20)),
    }
