"""A plan that is kept: after each change it is the best again, and its proof holds."""

import random

import numpy as np
import pytest

from services.matching.rules.engine import IncrementalSolver, Problem, check, jit, solve
from tests.rules.matching.small import best_value, problem, some_problem, value


def without_least(asked: Problem) -> Problem:
    return asked._replace(mentor_minimum=asked.mentor_minimum * 0, learner_minimum=asked.learner_minimum * 0)


def changed(kept: IncrementalSolver, asked: Problem, chance: random.Random) -> None:
    """One change of some kind."""
    mentor, learner = (chance.randrange(len(one)) for one in (asked.mentor_slots, asked.learner_slots))
    kind = chance.randrange(3)
    if kind == 0:
        kept.set_mentor_slots(mentor, chance.randint(0, 4))
    elif kind == 1:
        kept.set_learner_slots(learner, chance.randint(0, 4))
    else:
        arcs = int((asked.learner == learner).sum())
        kept.set_learner_worths(learner, np.array([chance.randint(-10, 30) for _ in range(arcs)], dtype=np.int64))


@pytest.mark.parametrize("seed", range(30))
def test_after_each_change_no_plan_is_better(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        asked = without_least(some_problem(chance))
        kept = IncrementalSolver(asked)
        for _ in range(5):
            changed(kept, asked, chance)
            now = kept.solved()
            check(now)
            assert value(now.problem, now.taken) == best_value(now.problem)
            assert now.bound == solve(now.problem).bound


def large(seed: int) -> Problem:
    chance = random.Random(seed)
    arcs = [
        (one, other, chance.randint(1, 9900)) for other in range(300) for one in range(200) if chance.random() < 0.4
    ]
    return problem(arcs, ([chance.randint(0, 2) for _ in range(200)], [1] * 300))


COMPILED = pytest.param(True, marks=pytest.mark.skipif(not jit.can_compile(), reason="numba is not installed"))


@pytest.mark.parametrize("compiles", [False, COMPILED])
def test_a_hundred_changes_of_a_large_plan(monkeypatch: pytest.MonkeyPatch, *, compiles: bool) -> None:
    asked, chance = large(3), random.Random(4)
    assert len(asked.worth) >= jit.COMPILE_FROM_ARCS
    if not compiles:
        monkeypatch.setattr(jit, "COMPILE_FROM_ARCS", len(asked.worth) + 1)
    kept = IncrementalSolver(asked)
    for _ in range(100):
        changed(kept, asked, chance)
    now = kept.solved()
    check(now)
    anew = solve(now.problem)
    assert now.problem.worth[now.taken].sum() == anew.problem.worth[anew.taken].sum()


def test_back_and_forth_is_worth_the_same() -> None:
    asked = large(5)
    kept = IncrementalSolver(asked)
    before = kept.solved()
    for mentor in range(0, 200, 7):
        kept.set_mentor_slots(mentor, 0)
    assert kept.solved().bound < before.bound
    for mentor in range(0, 200, 7):
        kept.set_mentor_slots(mentor, int(asked.mentor_slots[mentor]))
    after = kept.solved()
    check(after)
    assert after.bound == before.bound


def test_what_cannot_be_repaired_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum loads"):
        IncrementalSolver(problem([(0, 0, 5)], ([1], [1]), ([1], [0])))
    kept = IncrementalSolver(problem([(0, 0, 5)], ([1], [1])))
    with pytest.raises(ValueError, match="too large"):
        kept.set_learner_worths(0, np.array([2**60]))
    check(kept.solved())
