"""The move frontier: at every price the best plan is one of its points."""

import random
from dataclasses import replace
from uuid import UUID

import pytest

from services.matching.rules.explaining.move_frontier import MoveFrontier, move_frontier
from services.matching.rules.inputs.criteria import Criteria, Objective
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Profile, TargetLevel
from services.matching.rules.planning.plan import MAX_MOVE_PRICE
from services.matching.rules.report import make_plan
from tests.rules.matching.clusters import FORESIGHT, LEARNER, MENTOR, STRATEGY, TODAY


def random_input(seed: int, objective: Objective = "total") -> PlanInput:
    """A plan input with random open proposals, so that many of them could be moved."""
    chance = random.Random(seed)
    mentors = [
        replace(MENTOR, id=UUID(int=number), levels={FORESIGHT: chance.randint(2, 5), STRATEGY: chance.randint(2, 5)})
        for number in range(1, 7)
    ]
    learners = [_learner(chance, number) for number in range(11, 19)]
    everybody = [*mentors, *learners]
    proposed = tuple({PairKey(chance.choice(mentors).id, learner.id) for learner in learners})
    return PlanInput(
        today=TODAY, clusters=tuple(everybody), open_proposals=proposed, criteria=Criteria(objective=objective)
    )


def _learner(chance: random.Random, number: int) -> Profile:
    targets = {
        FORESIGHT: TargetLevel(chance.randint(2, 5), 5),
        STRATEGY: TargetLevel(chance.randint(2, 5), chance.randint(1, 5)),
    }
    return replace(LEARNER, id=UUID(int=number), targets=targets, requests={}, learner_slots=1)


@pytest.mark.parametrize("seed", range(4))
def test_at_every_price_the_best_plan_is_one_that_is_told(seed: int) -> None:
    plan_input = random_input(seed)
    frontier = move_frontier(plan_input)
    assert frontier.whole
    dropped = [point.dropped for point in frontier.points]
    assert dropped == sorted(dropped, reverse=True)
    assert [point.price for point in frontier.points] == sorted(point.price for point in frontier.points)
    assert len(dropped) == len(set(dropped)) > 1, "nothing could be moved"
    for price in range(0, MAX_MOVE_PRICE + 1, 250):
        plan = make_plan(replace(plan_input, criteria=Criteria(move_price=price)))
        values = [point.total - price * point.dropped for point in frontier.points]
        assert plan.total - price * len(plan.dropped) == max(values)


def test_without_proposals_there_is_one_plan_at_any_price() -> None:
    frontier = move_frontier(replace(random_input(1), open_proposals=()))
    assert [(point.price, point.dropped) for point in frontier.points] == [(0, 0)]


def test_what_there_was_no_time_for_is_said() -> None:
    frontier: MoveFrontier = move_frontier(random_input(1), lambda _: True)
    assert not frontier.whole
    assert len(frontier.points) == 2
