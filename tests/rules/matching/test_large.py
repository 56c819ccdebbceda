"""With too many pairs to examine all from the start, the plan is optimal all the same."""

import random
from dataclasses import replace

import pytest

from services.matching.rules.inputs.criteria import Criteria, Objective
from services.matching.rules.inputs.plan_input import PairKey
from services.matching.rules.inputs.profile import TargetLevel
from services.matching.rules.planning import assignment_problem
from services.matching.rules.report import make_plan
from tests.rules.matching.clusters import FORESIGHT, STRATEGY
from tests.rules.matching.test_plan import learner, mentor, plan_input_of


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", ["total", "pairs"])
def test_a_plan_is_the_best_of_all_also_where_only_a_few_of_each_learners_pairs_were_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, objective: Objective, seed: int
) -> None:
    chance = random.Random(seed)
    skills = {FORESIGHT: chance.randint, STRATEGY: chance.randint}
    mentors = [
        replace(mentor(number), levels={skill: draw(1, 5) for skill, draw in skills.items()}, mentor_slots=slots)
        for number, slots in enumerate(chance.choices([0, 1, 2], k=14), 1)
    ]
    learners = [
        replace(
            learner(50 + number), targets={skill: TargetLevel(draw(1, 5), draw(1, 5)) for skill, draw in skills.items()}
        )
        for number in range(16)
    ]
    proposed = tuple({PairKey(chance.choice(mentors).id, learner.id) for learner in chance.sample(learners, 4)})
    forbidden = tuple(PairKey(chance.choice(mentors).id, learner.id) for learner in chance.sample(learners, 3))
    criteria = Criteria(objective=objective, move_price=chance.choice([None, 50]))
    plan_input = plan_input_of(*mentors, *learners, open_proposals=proposed, forbidden=forbidden, criteria=criteria)
    full_plan = make_plan(plan_input)
    monkeypatch.setattr(assignment_problem, "MAX_FULL_PAIRS", 0)
    monkeypatch.setattr(assignment_problem, "CANDIDATES_PER_LEARNER", 2)
    plan = make_plan(plan_input)
    assert plan.exact
    assert plan.optimality_gap == 0
    assert plan.total == full_plan.total
    assert len(plan.pairs) == len(full_plan.pairs)
    assert sum(proposal.score for proposal in plan.dropped) + sum(
        pair.score for pair in plan.pairs if pair.standing == "proposed"
    ) == sum(proposal.score for proposal in full_plan.dropped) + sum(
        pair.score for pair in full_plan.pairs if pair.standing == "proposed"
    )


def test_the_fairest_plan_says_that_it_has_not_looked_at_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = [*(mentor(number) for number in range(1, 6)), *(learner(50 + number) for number in range(3))]
    monkeypatch.setattr(assignment_problem, "MAX_FULL_PAIRS", 0)
    monkeypatch.setattr(assignment_problem, "CANDIDATES_PER_LEARNER", 2)
    assert make_plan(plan_input_of(*clusters, criteria=Criteria(objective="fairest"))).optimality_gap is None
