import itertools
import random
from uuid import UUID

import pytest

from services.matching.rules.solve import Arc, NotOptimal, Problem, optimum, prove

IDS = [UUID(int=number) for number in range(1, 6)]


def some_problem(seed: int) -> Problem:
    chance = random.Random(seed)
    pairs = [(a, b) for a in IDS[:4] for b in IDS[:4] if a != b]
    chosen = chance.sample(pairs, chance.randint(1, 9))
    arcs = tuple(Arc(a, b, chance.randint(0, 50)) for a, b in chosen)
    return Problem(arcs, {id: chance.randint(0, 2) for id in IDS}, {id: chance.randint(0, 2) for id in IDS})


def brute_force(problem: Problem) -> int:
    best = 0
    for size in range(len(problem.arcs) + 1):
        for plan in itertools.combinations(problem.arcs, size):
            if fits(problem, list(plan)):
                best = max(best, sum(arc.score for arc in plan))
    return best


def fits(problem: Problem, plan: list[Arc]) -> bool:
    mentors = [arc.mentor for arc in plan]
    learners = [arc.learner for arc in plan]
    return all(mentors.count(id) <= problem.mentor_places.get(id, 0) for id in mentors) and all(
        learners.count(id) <= problem.learner_places.get(id, 0) for id in learners
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_plan_is_the_best_of_all_plans(seed: int) -> None:
    problem = some_problem(seed)
    plan = optimum(problem)
    assert fits(problem, plan)
    assert sum(arc.score for arc in plan) == brute_force(problem)


def test_the_order_of_the_arcs_makes_no_difference() -> None:
    problem = some_problem(7)
    plans = set()
    for seed in range(10):
        shuffled = list(problem.arcs)
        random.Random(seed).shuffle(shuffled)
        plans.add(tuple(optimum(problem._replace(arcs=tuple(shuffled)))))
    assert len(plans) == 1


def test_a_pair_is_taken_once_however_many_places_there_are() -> None:
    arc = Arc(IDS[0], IDS[1], 10)
    assert optimum(Problem((arc,), {IDS[0]: 5}, {IDS[1]: 5})) == [arc]


def test_no_arcs_no_plan() -> None:
    assert optimum(Problem((), {}, {})) == []


def test_the_proof_refuses_a_plan_that_is_not_the_best() -> None:
    good, bad = Arc(IDS[0], IDS[1], 10), Arc(IDS[0], IDS[2], 4)
    duals = {("mentor", IDS[0]): (1, -10.0), ("learner", IDS[1]): (1, 0.0), ("learner", IDS[2]): (1, 0.0)}
    prove([good, bad], [good], duals)
    with pytest.raises(NotOptimal, match="bound"):
        prove([good, bad], [bad], duals)
    with pytest.raises(NotOptimal, match="places"):
        prove([good, bad], [good, bad], duals)
