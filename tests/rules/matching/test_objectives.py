"""Each objective's plan is the best there is: held against every plan of thousands of small problems."""

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
    """A problem that is small enough to try every plan; `score` is the worth before anything was added."""

    problem: Problem
    score: NDArray[np.int64]


def some(chance: random.Random, *, learner_slots: int, spread: int = 9000) -> Small:
    mentors, learners = chance.randint(1, 4), chance.randint(1, 4)
    arcs = [(one, other) for other in range(learners) for one in range(mentors) if chance.random() < 0.75]
    score = np.array([chance.randint(0, spread) for _ in arcs], dtype=np.int64)
    none = np.zeros(learners, dtype=np.int32)
    problem = Problem(
        np.array([one for one, _ in arcs], dtype=np.int32),
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
    arcs = range(len(problem.worth))
    room = {("m", one): int(places) for one, places in enumerate(problem.mentor_slots)}
    room |= {("l", one): min(int(places), most or 9) for one, places in enumerate(problem.learner_slots)}
    for count in range(len(problem.worth) + 1):
        fits = 0
        for chosen in combinations(arcs, count):
            used = Counter(("m", int(problem.mentor[arc])) for arc in chosen)
            used += Counter(("l", int(problem.learner[arc])) for arc in chosen)
            if all(used[end] <= room[end] for end in used):
                fits += 1
                yield frozenset(chosen)
        if not fits:
            return


def worth(problem: Problem, pairs: Pairs) -> int:
    return sum(int(problem.worth[arc]) for arc in pairs)


def chosen(small: Small, objective: str) -> Pairs:
    found = solve_objective(small.problem, small.score, objective, NEVER_STOP)
    assert found.exact
    return frozenset(map(int, np.flatnonzero(found.taken)))


@pytest.mark.parametrize("seed", range(150))
def test_the_best_total(seed: int) -> None:
    small = some(random.Random(seed), learner_slots=2)
    pairs = chosen(small, "total")
    assert pairs in set(plans(small.problem))
    assert worth(small.problem, pairs) == max(worth(small.problem, one) for one in plans(small.problem))


@pytest.mark.parametrize("seed", range(150))
def test_the_most_pairs_then_the_best_total(seed: int) -> None:
    small = some(random.Random(seed), learner_slots=2)
    pairs = chosen(small, "pairs")
    assert pairs in set(plans(small.problem))
    assert (len(pairs), worth(small.problem, pairs)) == max(
        (len(one), worth(small.problem, one)) for one in plans(small.problem)
    )


def fairness(small: Small, pairs: Pairs) -> tuple[list[int], int]:
    """What is compared: learners' points, the worst first (nobody is worse than who has nobody), then the total."""
    served = {int(small.problem.learner[arc]): int(small.score[arc]) // HUNDREDTHS_PER_POINT for arc in pairs}
    learners = range(len(small.problem.learner_slots))
    return sorted(served.get(one, -1) for one in learners), worth(small.problem, pairs)


@pytest.mark.parametrize("spread", [9000, 500])
@pytest.mark.parametrize("seed", range(150))
def test_the_fairest_looks_at_the_worst_served_first(seed: int, spread: int) -> None:
    small = some(random.Random(seed), learner_slots=1, spread=spread)
    pairs = chosen(small, "fairest")
    assert pairs in set(plans(small.problem))
    assert fairness(small, pairs) == max(fairness(small, one) for one in plans(small.problem))


@pytest.mark.parametrize("seed", range(100))
def test_second_places_are_filled_when_all_first_ones_are_as_fair_as_can_be(seed: int) -> None:
    small = some(random.Random(seed), learner_slots=3)
    pairs = chosen(small, "fairest")
    everything = list(plans(small.problem))
    assert pairs in set(everything)
    firsts = list(plans(small.problem, most=1))
    fair = max(fairness(small, one) for one in firsts)
    stand = [one for one in firsts if one <= pairs and fairness(small, one) == fair]
    assert any(
        worth(small.problem, pairs) == max(worth(small.problem, one) for one in everything if first <= one)
        for first in stand
    )
