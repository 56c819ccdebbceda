"""Problems so small that every plan can be tried, and the best by each objective as its definition says it."""

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, Problem
from services.matching.rules.planning.objectives import HUNDREDTHS_PER_POINT, solve_objective

MOST_ARCS = 9
DENSE = 0.7
Key = tuple[Any, ...]


def some(chance: random.Random, learner_slots: int) -> Problem:
    """A few mentors and learners, with ties and minimum loads."""
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(one, other) for other in range(learners) for one in range(mentors) if chance.random() < DENSE]
    arcs = sorted(chance.sample(arcs, min(len(arcs), MOST_ARCS)), key=lambda arc: (arc[1], arc[0]))
    highest = chance.choice([300, 2_000, 9_000])
    sides = [chance.randint(0, 3) for _ in range(mentors)], [chance.randint(0, learner_slots) for _ in range(learners)]
    least = chance.random() < 1 / 3
    loads = [[chance.randint(0, one) if least else 0 for one in side] for side in sides]
    ends = np.array([one for one, _ in arcs], np.int32), np.array([other for _, other in arcs], np.int32)
    worth = np.array([chance.randint(0, highest) for _ in arcs], np.int64)
    return Problem(*ends, worth, *(np.array(one, np.int32) for one in (*sides, *loads)))


def key(problem: Problem, objective: str, taken: NDArray[np.bool_]) -> Key | None:
    """By what plans are compared, the first first; None if it does not fit."""
    loads = [
        np.bincount(problem.mentor[taken], minlength=len(problem.mentor_slots)),
        np.bincount(problem.learner[taken], minlength=len(problem.learner_slots)),
    ]
    if (loads[0] > problem.mentor_slots).any() or (loads[1] > problem.learner_slots).any():
        return None
    needed = np.minimum(loads[0], problem.mentor_minimum).sum() + np.minimum(loads[1], problem.learner_minimum).sum()
    pairs, total = int(taken.sum()), int(problem.worth[taken].sum())
    if objective == "total":
        return int(needed), total
    if objective == "pairs":
        return int(needed), pairs, total
    points = problem.worth // HUNDREDTHS_PER_POINT
    reached = [int((points[taken] >= level).sum()) for level in np.unique(points)]
    return int(needed), pairs, *reached[1:], total


def disagreements(count: int, seed: int) -> Iterator[str]:
    """Random problems, a third by each objective, for which the engine's plan is not as good as the best of all."""
    chance = random.Random(seed)  # noqa: S311  a draw that has to be the same each time
    for number in range(count):
        objective = ("total", "pairs", "fairest")[number % 3]
        # Fairness compares first pairs, and there is no telling a learner's first from its second.
        problem = some(chance, 1 if objective == "fairest" else 3)
        found = solve_objective(problem, problem.worth, objective, NEVER_STOP)
        plans = (np.array(plan, np.bool_) for plan in product((False, True), repeat=len(problem.worth)))
        tried = max(known for plan in plans if (known := key(problem, objective, plan)) is not None)
        if key(problem, objective, found.taken) != tried:
            yield f"problem {number} of seed {seed}, {objective}: {key(problem, objective, found.taken)}, not {tried}"
