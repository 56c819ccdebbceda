"""What one change makes of the best plan is the best plan of the changed problem."""

import random

import numpy as np
import pytest

from services.matching.rules.engine import PlanChange, Problem, Residual, Solved, solve
from tests.rules.matching.small import Taken, Value, best_value, some_problem, value


def changed(solved: Solved, change: PlanChange) -> Taken:
    taken = solved.taken.copy()
    taken[list(change.added)] = True
    taken[list(change.dropped)] = False
    return taken


def worth(asked: Problem, found: Value | None) -> int:
    """In the one figure that the solver knows."""
    assert found is not None
    return found[0] * asked.bonus + found[1]


@pytest.mark.parametrize("seed", range(40))
def test_a_pair_that_has_to_be(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        asked = some_problem(chance, most_arcs=7)
        solved = solve(asked)
        for arc in range(len(asked.worth)):
            change = Residual(solved).forced(arc)
            best = best_value(asked, lambda plan, arc=arc: bool(plan[arc]))  # type: ignore[misc]
            if best is None:
                assert change is None
                continue
            assert change is not None
            plan = changed(solved, change)
            assert plan[arc]
            assert value(asked, plan) == best
            assert worth(asked, best) == solved.bound + change.gain


@pytest.mark.parametrize("side", ["mentor", "learner"])
@pytest.mark.parametrize("seed", range(40))
def test_one_more_place(seed: int, side: str) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        asked = some_problem(chance, most_arcs=7)
        solved = solve(asked)
        places = getattr(asked, f"{side}_slots")
        for node in range(len(places)):
            more = asked._replace(**{f"{side}_slots": places + (np.arange(len(places)) == node).astype(np.int32)})
            change = getattr(Residual(solved), f"one_more_{side}_slot")(node)
            best = best_value(more)
            assert value(more, changed(solved, change)) == best
            assert worth(asked, best) == solved.bound + change.gain
