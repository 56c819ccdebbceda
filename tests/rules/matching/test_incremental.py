"""The incremental solver: after each change the plan is optimal again, and its certificate holds."""

import random

import numpy as np
import pytest

from services.matching.rules.engine import IncrementalSolver, Problem, check, jit, solve
from tests.rules.matching.small import best_value, problem_of, random_problem, value


def without_minimum(problem: Problem) -> Problem:
    return problem._replace(mentor_minimum=problem.mentor_minimum * 0, learner_minimum=problem.learner_minimum * 0)


def changed(solver: IncrementalSolver, problem: Problem, chance: random.Random) -> None:
    """A random change."""
    mentor, learner = (chance.randrange(len(slots)) for slots in (problem.mentor_slots, problem.learner_slots))
    kind = chance.randrange(3)
    if kind == 0:
        solver.set_mentor_slots(mentor, chance.randint(0, 4))
    elif kind == 1:
        solver.set_learner_slots(learner, chance.randint(0, 4))
    else:
        arcs = int((problem.learner == learner).sum())
        solver.set_learner_values(learner, np.array([chance.randint(-10, 30) for _ in range(arcs)], dtype=np.int64))


@pytest.mark.parametrize("seed", range(30))
def test_after_each_change_no_plan_is_better(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        problem = without_minimum(random_problem(chance))
        solver = IncrementalSolver(problem)
        for _ in range(5):
            changed(solver, problem, chance)
            solved = solver.solved()
            check(solved)
            assert value(solved.problem, solved.taken) == best_value(solved.problem)
            assert solved.bound == solve(solved.problem).bound


def large(seed: int) -> Problem:
    chance = random.Random(seed)
    arcs = [
        (mentor, learner, chance.randint(1, 9900))
        for learner in range(300)
        for mentor in range(200)
        if chance.random() < 0.4
    ]
    return problem_of(arcs, ([chance.randint(0, 2) for _ in range(200)], [1] * 300))


COMPILED = pytest.param(True, marks=pytest.mark.skipif(not jit.can_compile(), reason="numba is not installed"))


@pytest.mark.parametrize("compiles", [False, COMPILED])
def test_a_hundred_changes_of_a_large_plan(monkeypatch: pytest.MonkeyPatch, *, compiles: bool) -> None:
    problem, chance = large(3), random.Random(4)
    assert len(problem.value) >= jit.COMPILE_FROM_ARCS
    if not compiles:
        monkeypatch.setattr(jit, "COMPILE_FROM_ARCS", len(problem.value) + 1)
    solver = IncrementalSolver(problem)
    for _ in range(100):
        changed(solver, problem, chance)
    solved = solver.solved()
    check(solved)
    from_scratch = solve(solved.problem)
    assert solved.problem.value[solved.taken].sum() == from_scratch.problem.value[from_scratch.taken].sum()


def test_back_and_forth_is_worth_the_same() -> None:
    problem = large(5)
    solver = IncrementalSolver(problem)
    before = solver.solved()
    for mentor in range(0, 200, 7):
        solver.set_mentor_slots(mentor, 0)
    assert solver.solved().bound < before.bound
    for mentor in range(0, 200, 7):
        solver.set_mentor_slots(mentor, int(problem.mentor_slots[mentor]))
    after = solver.solved()
    check(after)
    assert after.bound == before.bound


def test_what_cannot_be_repaired_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum loads"):
        IncrementalSolver(problem_of([(0, 0, 5)], ([1], [1]), ([1], [0])))
    solver = IncrementalSolver(problem_of([(0, 0, 5)], ([1], [1])))
    with pytest.raises(ValueError, match="too large"):
        solver.set_learner_values(0, np.array([2**60]))
    check(solver.solved())
