"""Problems so small that every plan can be tried, compared by the definition of each objective."""

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, Problem
from services.matching.rules.planning.objectives import HUNDREDTHS_PER_POINT, solve_objective

MAX_ARCS = 9
DENSITY = 0.7
Key = tuple[Any, ...]


def random_problem(chance: random.Random, learner_slots: int) -> Problem:
    """A few mentors and learners, with ties and minimum loads."""
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(mentor, learner) for learner in range(learners) for mentor in range(mentors) if chance.random() < DENSITY]
    arcs = sorted(chance.sample(arcs, min(len(arcs), MAX_ARCS)), key=lambda arc: (arc[1], arc[0]))
    highest = chance.choice([300, 2_000, 9_000])
    sides = [chance.randint(0, 3) for _ in range(mentors)], [chance.randint(0, learner_slots) for _ in range(learners)]
    with_minimum = chance.random() < 1 / 3
    minimums = [[chance.randint(0, slots) if with_minimum else 0 for slots in side] for side in sides]
    ends = np.array([arc[0] for arc in arcs], np.int32), np.array([arc[1] for arc in arcs], np.int32)
    value = np.array([chance.randint(0, highest) for _ in arcs], np.int64)
    return Problem(*ends, value, *(np.array(side, np.int32) for side in (*sides, *minimums)))


def key(problem: Problem, objective: str, taken: NDArray[np.bool_]) -> Key | None:
    """The value of a plan by an objective, in lexicographic order; None if the plan is not feasible."""
    loads = [
        np.bincount(problem.mentor[taken], minlength=len(problem.mentor_slots)),
        np.bincount(problem.learner[taken], minlength=len(problem.learner_slots)),
    ]
    if (loads[0] > problem.mentor_slots).any() or (loads[1] > problem.learner_slots).any():
        return None
    needed = np.minimum(loads[0], problem.mentor_minimum).sum() + np.minimum(loads[1], problem.learner_minimum).sum()
    pairs, total = int(taken.sum()), int(problem.value[taken].sum())
    if objective == "total":
        return int(needed), total
    if objective == "pairs":
        return int(needed), pairs, total
    points = problem.value // HUNDREDTHS_PER_POINT
    reached = [int((points[taken] >= level).sum()) for level in np.unique(points)]
    return int(needed), pairs, *reached[1:], total


def disagreements(count: int, seed: int) -> Iterator[str]:
    """Random problems, a third by each objective, for which the engine's plan is not the best of all plans."""
    chance = random.Random(seed)  # noqa: S311  a draw that has to be the same each time
    for number in range(count):
        objective = ("total", "pairs", "fairest")[number % 3]
        # Fairness compares first pairs, which a key cannot tell from second ones.
        problem = random_problem(chance, 1 if objective == "fairest" else 3)
        solution = solve_objective(problem, problem.value, objective, NEVER_STOP)
        plans = (np.array(plan, np.bool_) for plan in product((False, True), repeat=len(problem.value)))
        best = max(value for plan in plans if (value := key(problem, objective, plan)) is not None)
        if key(problem, objective, solution.taken) != best:
            yield f"problem {number} of seed {seed}, {objective}: {key(problem, objective, solution.taken)}, not {best}"
