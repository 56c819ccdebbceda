"""The plan after one change is optimal for the changed problem."""

import random

import numpy as np
import pytest

from services.matching.rules.engine import PlanChange, Problem, Residual, Solved, solve
from tests.rules.matching.small import Taken, Value, best_value, random_problem, value


def changed(solved: Solved, change: PlanChange) -> Taken:
    taken = solved.taken.copy()
    taken[list(change.added)] = True
    taken[list(change.dropped)] = False
    return taken


def total_value(problem: Problem, result: Value | None) -> int:
    """The number for a value, with the bonus of each minimum load that is met."""
    assert result is not None
    return result[0] * problem.bonus + result[1]


@pytest.mark.parametrize("seed", range(40))
def test_a_pair_that_has_to_be(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        problem = random_problem(chance, max_arcs=7)
        solved = solve(problem)
        for arc in range(len(problem.value)):
            change = Residual(solved).forced(arc)
            best = best_value(problem, lambda plan, arc=arc: bool(plan[arc]))  # type: ignore[misc]
            if best is None:
                assert change is None
                continue
            assert change is not None
            plan = changed(solved, change)
            assert plan[arc]
            assert value(problem, plan) == best
            assert total_value(problem, best) == solved.bound + change.gain


@pytest.mark.parametrize("side", ["mentor", "learner"])
@pytest.mark.parametrize("seed", range(40))
def test_one_more_place(seed: int, side: str) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        problem = random_problem(chance, max_arcs=7)
        solved = solve(problem)
        slots = getattr(problem, f"{side}_slots")
        for node in range(len(slots)):
            more = problem._replace(**{f"{side}_slots": slots + (np.arange(len(slots)) == node).astype(np.int32)})
            change = getattr(Residual(solved), f"one_more_{side}_slot")(node)
            best = best_value(more)
            assert value(more, changed(solved, change)) == best
            assert total_value(problem, best) == solved.bound + change.gain
