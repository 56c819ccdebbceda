"""C2: one change of a plan, repaired, beside building the problem and solving it anew."""

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


def change(kept: IncrementalSolver, problem: Problem, chance: random.Random) -> Callable[[], None]:
    """A change of some kind: a mentor's places, a learner that leaves or comes back, a learner's worths."""
    mentor, learner = chance.randrange(len(problem.mentor_slots)), chance.randrange(len(problem.learner_slots))
    kind = chance.randrange(3)
    if kind == 0:
        places = chance.randint(0, 4)
        return lambda: kept.set_mentor_slots(mentor, places)
    if kind == 1:
        places = chance.randint(0, 1)
        return lambda: kept.set_learner_slots(learner, places)
    arcs = int((problem.learner == learner).sum())
    worths = np.array([chance.randint(1, 9999) for _ in range(arcs)])
    return lambda: kept.set_learner_worths(learner, worths)


def c2(title: str, what: str, make: Callable[[], Problem]) -> Bench:
    """One size."""
    problem = cache(make)
    memory = {
        "kept": cache(lambda: peak(lambda: IncrementalSolver(problem()))),
        "anew": cache(lambda: peak(lambda: solve(problem()))),
    }
    chance = random.Random(1)  # noqa: S311  a draw that has to be the same each time

    async def repaired() -> Metrics:
        asked = problem()
        kept = IncrementalSolver(asked)
        times = []
        for _ in range(CHANGES):
            done = change(kept, asked, chance)
            begun = perf_counter()
            done()
            times.append(perf_counter() - begun)
        now = kept.solved()
        check(now)
        if now.bound != solve(now.problem).bound:
            raise ValueError("The repaired plan is not the best.")
        times = times[CHANGES // 10 :]
        return {"p50": percentile(times, 0.5) * 1e3, "p99": percentile(times, 0.99) * 1e3, "mib": memory["kept"]()}

    async def anew() -> Metrics:
        asked = problem()
        with watch() as running:
            solve(asked._replace(worth=asked.worth.copy()))
        return {"p50": running.seconds * 1e3, "p99": running.seconds * 1e3, "mib": memory["anew"]()}

    goal = Goal("C2", f"{what}: anew / one change, p99", "anew", "one change", 200, metric="p99")
    return Bench(title, {"one change": repaired, "anew": anew}, [goal])


def benches() -> dict[str, Bench]:
    """All sizes."""
    return {
        "c2-10k": c2("10,000 learners, 50 arcs each", "10,000 x 50", lambda: instance(10_000, 50)),
        "c2-scarce": c2(
            "the same, with places for six learners of ten",
            "10,000 x 50, scarce",
            lambda: instance(10_000, 50, places=0.6),
        ),
        "c2-100k": c2("100,000 learners, 20 arcs each", "100,000 x 20", lambda: instance(100_000, 20)),
    }
