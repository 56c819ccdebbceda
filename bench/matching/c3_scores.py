"""C3: the scores of all pairs and the best 50 mentors of each learner, beside one pair after the other."""

from functools import cache

from bench.harness import Bench, Goal, Metrics, Variant, watch
from bench.matching.memory import peak
from bench.matching.world import consortium
from services.matching.rules.score import score, worths
from services.matching.rules.table import Table

CLUSTERS = 10_000
SAMPLE = 2_000
"""Pairs that are scored one after the other; all of them would take hours."""


@cache
def table() -> Table:
    """All clusters, with what is computed once for all pairs."""
    made = consortium(CLUSTERS).table
    worths(Table(made.profiles[:50], made.criteria, made.history), 5)
    return made


async def at_once() -> Metrics:
    """Ten terms and eight rules for each of 100 million pairs."""
    made = table()
    with watch() as running:
        worths(made, 50)
    return {**running.per(CLUSTERS**2), "mib": _memory()}


@cache
def _memory() -> float:
    return peak(lambda: worths(table(), 50))


async def in_a_loop() -> Metrics:
    """The same for one pair after the other, with sentences."""
    made = table()
    ids = [one.id for one in made.profiles]
    with watch() as running:
        for number in range(SAMPLE):
            score(made, ids[number], ids[number + SAMPLE])
    return running.per(SAMPLE)


async def product() -> Metrics:
    """The matrix product of one term alone (what mentors can, by what learners need), in floating point."""
    made = table()
    with watch() as running:
        made.above @ made.wanted.T
    return running.per(CLUSTERS**2)


def benches() -> dict[str, Bench]:
    """The one."""
    goals = [
        Goal("C3", "scores and best 50: at once / in a loop", "at once", "in a loop", 100),
        Goal("C3", "scores and best 50 / one matrix product", "at once", "matrix product", 0.75),
    ]
    variants: dict[str, Variant] = {"at once": at_once, "in a loop": in_a_loop, "matrix product": product}
    return {"c3": Bench("pairs of 10,000 clusters", variants, goals)}
