"""Problems that are small enough to try every plan."""

import random
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Problem

Taken = NDArray[np.bool_]
Value = tuple[int, int]
"""Number of pairs that meet minimum loads, and value of all pairs."""


def random_problem(chance: random.Random, max_arcs: int = 9) -> Problem:
    """A few mentors and learners, with ties, negative values, empty sides and minimum loads."""
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(mentor, learner) for learner in range(learners) for mentor in range(mentors) if chance.random() < 0.7]
    arcs = sorted(chance.sample(arcs, min(len(arcs), max_arcs)), key=lambda arc: (arc[1], arc[0]))
    highest, with_minimum = chance.choice([3, 20, 9000]), chance.random() < 0.5
    slots = [chance.randint(0, 3) for _ in range(mentors + learners)]
    minimum = [chance.randint(0, capacity) if with_minimum else 0 for capacity in slots]
    return problem_of(
        [(mentor, learner, chance.randint(-highest // 3, highest)) for mentor, learner in arcs],
        (slots[:mentors], slots[mentors:]),
        (minimum[:mentors], minimum[mentors:]),
    )


def problem_of(
    arcs: list[tuple[int, int, int]],
    slots: tuple[list[int], list[int]],
    minimum: tuple[list[int], list[int]] | None = None,
) -> Problem:
    """Arcs are mentor, learner, value."""
    minimum = minimum or ([0] * len(slots[0]), [0] * len(slots[1]))
    return Problem(
        np.array([mentor for mentor, _, _ in arcs], dtype=np.int32),
        np.array([learner for _, learner, _ in arcs], dtype=np.int32),
        np.array([value for _, _, value in arcs], dtype=np.int64),
        *(np.array(side, dtype=np.int32) for side in (*slots, *minimum)),
    )


def value(problem: Problem, taken: Taken) -> Value | None:
    """The value of a plan; None if it takes more slots than there are."""
    mentors = np.bincount(problem.mentor[taken], minlength=len(problem.mentor_slots))
    learners = np.bincount(problem.learner[taken], minlength=len(problem.learner_slots))
    if (mentors > problem.mentor_slots).any() or (learners > problem.learner_slots).any():
        return None
    needed = np.minimum(mentors, problem.mentor_minimum).sum() + np.minimum(learners, problem.learner_minimum).sum()
    return int(needed), int(problem.value[taken].sum())


def best_value(problem: Problem, fits: Callable[[Taken], bool] = lambda _: True) -> Value | None:
    """The best value of all feasible plans that `fits` accepts; None if there are none."""
    plans = (np.array(plan, dtype=np.bool_) for plan in product((False, True), repeat=len(problem.value)))
    values = (value(problem, plan) for plan in plans if fits(plan))
    return max(filter(None, values), default=None)
