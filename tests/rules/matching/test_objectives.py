"""The plan of each objective is optimal: compared with all plans of thousands of small problems."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from services.matching.rules.engine import NEVER_STOP, Problem
from services.matching.rules.planning.objectives import HUNDREDTHS_PER_POINT, solve_objective

Pairs = frozenset[int]


class Small(NamedTuple):
    """A problem that is small enough to try every plan; `score` is the value without additions."""

    problem: Problem
    score: NDArray[np.int64]


def random_small(chance: random.Random, *, learner_slots: int, spread: int = 9000) -> Small:
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(mentor, other) for other in range(learners) for mentor in range(mentors) if chance.random() < 0.75]
    score = np.array([chance.randint(0, spread) for _ in arcs], dtype=np.int64)
    none = np.zeros(learners, dtype=np.int32)
    problem = Problem(
        np.array([mentor for mentor, _ in arcs], dtype=np.int32),
        np.array([other for _, other in arcs], dtype=np.int32),
        score + np.array([chance.choice([0, 0, 500, -300]) for _ in arcs], dtype=np.int64),
        np.array([chance.randint(0, 2) for _ in range(mentors)], dtype=np.int32),
        np.array([chance.randint(0, learner_slots) for _ in range(learners)], dtype=np.int32),
        np.zeros(mentors, dtype=np.int32),
        none,
    )
    return Small(problem, score)


def plans(problem: Problem, most: int | None = None) -> Iterator[Pairs]:
    """Every set of arcs that fits, learners taking `most` at most."""
    arcs = range(len(problem.value))
    room = {("m", number): int(slots) for number, slots in enumerate(problem.mentor_slots)}
    room |= {("l", number): min(int(slots), most or 9) for number, slots in enumerate(problem.learner_slots)}
    for count in range(len(problem.value) + 1):
        fits = 0
        for chosen in combinations(arcs, count):
            used = Counter(("m", int(problem.mentor[arc])) for arc in chosen)
            used += Counter(("l", int(problem.learner[arc])) for arc in chosen)
            if all(used[end] <= room[end] for end in used):
                fits += 1
                yield frozenset(chosen)
        if not fits:
            return


def total_value(problem: Problem, pairs: Pairs) -> int:
    return sum(int(problem.value[arc]) for arc in pairs)


def chosen(small: Small, objective: str) -> Pairs:
    solution = solve_objective(small.problem, small.score, objective, NEVER_STOP)
    assert solution.exact
    return frozenset(map(int, np.flatnonzero(solution.taken)))


@pytest.mark.parametrize("seed", range(150))
def test_the_best_total(seed: int) -> None:
    small = random_small(random.Random(seed), learner_slots=2)
    pairs = chosen(small, "total")
    assert pairs in set(plans(small.problem))
    assert total_value(small.problem, pairs) == max(total_value(small.problem, plan) for plan in plans(small.problem))


@pytest.mark.parametrize("seed", range(150))
def test_the_most_pairs_then_the_best_total(seed: int) -> None:
    small = random_small(random.Random(seed), learner_slots=2)
    pairs = chosen(small, "pairs")
    assert pairs in set(plans(small.problem))
    assert (len(pairs), total_value(small.problem, pairs)) == max(
        (len(plan), total_value(small.problem, plan)) for plan in plans(small.problem)
    )


def fairness(small: Small, pairs: Pairs) -> tuple[list[int], int]:
    """The lexicographic value: the points of learners, the lowest first (-1 without a mentor), then the total."""
    served = {int(small.problem.learner[arc]): int(small.score[arc]) // HUNDREDTHS_PER_POINT for arc in pairs}
    learners = range(len(small.problem.learner_slots))
    return sorted(served.get(learner, -1) for learner in learners), total_value(small.problem, pairs)


@pytest.mark.parametrize("spread", [9000, 500])
@pytest.mark.parametrize("seed", range(150))
def test_the_fairest_looks_at_the_worst_served_first(seed: int, spread: int) -> None:
    small = random_small(random.Random(seed), learner_slots=1, spread=spread)
    pairs = chosen(small, "fairest")
    assert pairs in set(plans(small.problem))
    assert fairness(small, pairs) == max(fairness(small, plan) for plan in plans(small.problem))


@pytest.mark.parametrize("seed", range(100))
def test_second_places_are_filled_when_all_first_ones_are_as_fair_as_can_be(seed: int) -> None:
    small = random_small(random.Random(seed), learner_slots=3)
    pairs = chosen(small, "fairest")
    everything = list(plans(small.problem))
    assert pairs in set(everything)
    firsts = list(plans(small.problem, most=1))
    fair = max(fairness(small, plan) for plan in firsts)
    stand = [plan for plan in firsts if plan <= pairs and fairness(small, plan) == fair]
    assert any(
        total_value(small.problem, pairs)
        == max(total_value(small.problem, plan) for plan in everything if first <= plan)
        for first in stand
    )
