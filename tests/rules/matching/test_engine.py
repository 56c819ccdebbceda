"""The solver finds the best plan and proves it; the proof believes nothing that is not so."""

import random
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest

from services.matching.rules.engine import NotOptimal, Problem, Solved, check, jit, solve
from tests.rules.matching.small import best_value, problem, some_problem, value

solve_module = import_module("services.matching.rules.engine.solve")  # its name is that of the function


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_is_better(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        asked = some_problem(chance)
        solved = solve(asked)
        check(solved)
        assert solved.exact
        assert value(asked, solved.taken) == best_value(asked)


def large(seed: int, learners: int = 300, mentors: int = 200) -> Problem:
    """Each learner can be paired with every third mentor or so."""
    chance = random.Random(seed)
    arcs = [
        (one, other, chance.randint(-100, 9900))
        for other in range(learners)
        for one in range(mentors)
        if chance.random() < 0.35
    ]
    places = [chance.randint(0, 2) for _ in range(mentors)], [chance.randint(0, 2) for _ in range(learners)]
    return problem(arcs, places, ([chance.randint(0, one) for one in places[0]], [0] * learners))


@pytest.mark.skipif(not jit.can_compile(), reason="numba is not installed")
def test_the_compiled_form_finds_the_same_plan_at_the_same_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = large(1)
    assert len(asked.worth) >= jit.COMPILE_FROM_ARCS
    compiled = solve(asked)
    monkeypatch.setattr(jit, "COMPILE_FROM_ARCS", len(asked.worth) + 1)
    plain = solve(asked)
    assert (compiled.taken == plain.taken).all()
    assert (compiled.mentor_price == plain.mentor_price).all()
    assert (compiled.learner_price == plain.learner_price).all()


def test_who_is_stopped_gives_what_it_has_and_how_far_off_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve_module, "LEARNERS_PER_STEP", 20)
    asked = large(2)
    best = solve(asked)
    seen: list[float] = []

    def stop(done: float) -> bool:
        seen.append(done)
        return len(seen) == 1

    stopped = solve(asked, stop)
    check(stopped)
    assert not stopped.exact
    assert 0 < seen[0] < 1
    assert value(asked, stopped.taken) is not None
    assert stopped.bound >= best.bound


def test_many_learners_for_few_places_and_the_other_way_round() -> None:
    for learners, mentors in ((600, 20), (20, 600)):
        check(solve(large(3, learners, mentors)))


def test_too_large_worths_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        solve(problem([(0, 0, 2**60), (1, 1, 2**60)], ([1, 1], [1, 1]), ([1, 1], [1, 1])))


EASY = problem([(0, 0, 50), (1, 0, 40), (0, 1, 30)], ([1, 1], [1, 1]))


def test_the_easy_one_by_hand() -> None:
    solved = solve(EASY)
    assert solved.taken.tolist() == [False, True, True]
    assert solved.bound == 70


WRONG: dict[str, Callable[[Solved], Solved]] = {
    "over its places": lambda one: one._replace(taken=np.array([True, False, True])),
    "not the best pair": lambda one: one._replace(taken=np.array([True, False, False])),
    "a pair too few": lambda one: one._replace(taken=np.array([False, False, True])),
    "everything": lambda one: one._replace(taken=np.array([True, True, True])),
    "mentors too dear": lambda one: one._replace(mentor_price=one.mentor_price + 1),
    "learners too cheap": lambda one: one._replace(learner_price=one.learner_price - 1),
    "another bound": lambda one: one._replace(bound=one.bound + 1),
    "another worth": lambda one: one._replace(problem=one.problem._replace(worth=np.array([50, 40, 31]))),
    "more places": lambda one: one._replace(problem=one.problem._replace(mentor_slots=np.array([2, 1]))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_proof_does_not_believe_what_is_not_so(wrong: str) -> None:
    with pytest.raises(NotOptimal):
        check(WRONG[wrong](solve(EASY)))
