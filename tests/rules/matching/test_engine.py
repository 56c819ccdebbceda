"""The solver finds the optimal plan; the check of its certificate finds every error."""

import random
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest

from services.matching.rules.engine import (
    IncrementalSolver,
    NotOptimal,
    Problem,
    Residual,
    Solved,
    check,
    jit,
    solve,
    warm_up,
)
from tests.rules.matching.small import best_value, problem_of, random_problem, value

solve_module = import_module("services.matching.rules.engine.solve")  # its name is that of the function


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_is_better(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        problem = random_problem(chance)
        solved = solve(problem)
        check(solved)
        assert solved.exact
        assert value(problem, solved.taken) == best_value(problem)


def large(seed: int, learners: int = 300, mentors: int = 200) -> Problem:
    """Each learner has an arc to about every third mentor."""
    chance = random.Random(seed)
    arcs = [
        (mentor, other, chance.randint(-100, 9900))
        for other in range(learners)
        for mentor in range(mentors)
        if chance.random() < 0.35
    ]
    places = [chance.randint(0, 2) for _ in range(mentors)], [chance.randint(0, 2) for _ in range(learners)]
    return problem_of(arcs, places, ([chance.randint(0, slots) for slots in places[0]], [0] * learners))


@pytest.mark.skipif(not jit.can_compile(), reason="numba is not installed")
def test_the_compiled_form_finds_the_same_plan_at_the_same_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = large(1)
    assert len(problem.value) >= jit.COMPILE_FROM_ARCS
    compiled = solve(problem)
    monkeypatch.setattr(jit, "COMPILE_FROM_ARCS", len(problem.value) + 1)
    plain = solve(problem)
    assert (compiled.taken == plain.taken).all()
    assert (compiled.mentor_price == plain.mentor_price).all()
    assert (compiled.learner_price == plain.learner_price).all()


@pytest.mark.skipif(not jit.can_compile(), reason="numba is not installed")
def test_after_the_warm_up_nothing_is_left_to_compile() -> None:
    def signatures() -> dict[str, int]:
        names = [function.__name__ for function in jit.COMPILED_FUNCTIONS]
        return {name: len(jit.compiled()[name].signatures) for name in names}

    warm_up()
    before = signatures()
    problem = problem_of([(0, 0, 50), (1, 0, 40), (0, 1, 30)], ([1, 1], [1, 1]))
    solver = IncrementalSolver(problem)
    solver.set_mentor_slots(0, 2)
    solver.set_learner_slots(1, 0)
    solver.set_learner_values(0, np.array([3, 4]))
    solved = solver.solved()
    check(solved)
    Residual(solved).one_more_mentor_slot(0)
    assert signatures() == before


def test_who_is_stopped_gives_what_it_has_and_how_far_off_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve_module, "LEARNERS_PER_STEP", 20)
    problem = large(2)
    best = solve(problem)
    seen: list[float] = []

    def stop(done: float) -> bool:
        seen.append(done)
        return len(seen) == 1

    stopped = solve(problem, stop)
    check(stopped)
    assert not stopped.exact
    assert 0 < seen[0] < 1
    assert value(problem, stopped.taken) is not None
    assert stopped.bound >= best.bound


def test_many_learners_for_few_places_and_the_other_way_round() -> None:
    for learners, mentors in ((600, 20), (20, 600)):
        check(solve(large(3, learners, mentors)))


def test_too_large_values_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        solve(problem_of([(0, 0, 2**60), (1, 1, 2**60)], ([1, 1], [1, 1]), ([1, 1], [1, 1])))


EASY = problem_of([(0, 0, 50), (1, 0, 40), (0, 1, 30)], ([1, 1], [1, 1]))


def test_the_easy_one_by_hand() -> None:
    solved = solve(EASY)
    assert solved.taken.tolist() == [False, True, True]
    assert solved.bound == 70


WRONG: dict[str, Callable[[Solved], Solved]] = {
    "over its places": lambda solved: solved._replace(taken=np.array([True, False, True])),
    "not the best pair": lambda solved: solved._replace(taken=np.array([True, False, False])),
    "a pair too few": lambda solved: solved._replace(taken=np.array([False, False, True])),
    "everything": lambda solved: solved._replace(taken=np.array([True, True, True])),
    "mentors too dear": lambda solved: solved._replace(mentor_price=solved.mentor_price + 1),
    "learners too cheap": lambda solved: solved._replace(learner_price=solved.learner_price - 1),
    "another bound": lambda solved: solved._replace(bound=solved.bound + 1),
    "another value": lambda solved: solved._replace(problem=solved.problem._replace(value=np.array([50, 40, 31]))),
    "more places": lambda solved: solved._replace(problem=solved.problem._replace(mentor_slots=np.array([2, 1]))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_proof_does_not_believe_what_is_not_so(wrong: str) -> None:
    with pytest.raises(NotOptimal):
        check(WRONG[wrong](solve(EASY)))
