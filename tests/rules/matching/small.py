"""Problems that are small enough to try every plan."""

import random
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Problem

Taken = NDArray[np.bool_]
Value = tuple[int, int]
"""How many pairs minimum loads needed and got, and what all pairs are worth."""


def some_problem(chance: random.Random, most_arcs: int = 9) -> Problem:
    """A few mentors and learners, with ties, worths below 0, empty sides and minimum loads."""
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(one, other) for other in range(learners) for one in range(mentors) if chance.random() < 0.7]
    arcs = sorted(chance.sample(arcs, min(len(arcs), most_arcs)), key=lambda arc: (arc[1], arc[0]))
    highest, least = chance.choice([3, 20, 9000]), chance.random() < 0.5
    places = [chance.randint(0, 3) for _ in range(mentors + learners)]
    loads = [chance.randint(0, one) if least else 0 for one in places]
    return problem(
        [(one, other, chance.randint(-highest // 3, highest)) for one, other in arcs],
        (places[:mentors], places[mentors:]),
        (loads[:mentors], loads[mentors:]),
    )


def problem(
    arcs: list[tuple[int, int, int]],
    places: tuple[list[int], list[int]],
    least: tuple[list[int], list[int]] | None = None,
) -> Problem:
    """Arcs are mentor, learner, worth."""
    least = least or ([0] * len(places[0]), [0] * len(places[1]))
    return Problem(
        np.array([one for one, _, _ in arcs], dtype=np.int32),
        np.array([one for _, one, _ in arcs], dtype=np.int32),
        np.array([one for _, _, one in arcs], dtype=np.int64),
        *(np.array(one, dtype=np.int32) for one in (*places, *least)),
    )


def value(asked: Problem, taken: Taken) -> Value | None:
    """What a plan is worth; None if it takes more places than there are."""
    mentors = np.bincount(asked.mentor[taken], minlength=len(asked.mentor_slots))
    learners = np.bincount(asked.learner[taken], minlength=len(asked.learner_slots))
    if (mentors > asked.mentor_slots).any() or (learners > asked.learner_slots).any():
        return None
    needed = np.minimum(mentors, asked.mentor_minimum).sum() + np.minimum(learners, asked.learner_minimum).sum()
    return int(needed), int(asked.worth[taken].sum())


def best_value(asked: Problem, fits: Callable[[Taken], bool] = lambda _: True) -> Value | None:
    """The best of all plans that fit; None if none does."""
    plans = (np.array(plan, dtype=np.bool_) for plan in product((False, True), repeat=len(asked.worth)))
    values = (value(asked, plan) for plan in plans if fits(plan))
    return max((one for one in values if one is not None), default=None)
