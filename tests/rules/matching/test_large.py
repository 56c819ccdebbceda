"""Where there are too many pairs to look at all of them first, the plan is the best of all the same."""

import random
from dataclasses import replace

import pytest

from services.matching.rules.inputs.criteria import Criteria, Objective
from services.matching.rules.inputs.plan_input import PairKey
from services.matching.rules.inputs.profile import TargetLevel
from services.matching.rules.planning import assignment_problem as boards
from services.matching.rules.report import make_plan
from tests.rules.matching.clusters import FORESIGHT, STRATEGY
from tests.rules.matching.test_plan import learner, mentor, question


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", ["total", "pairs"])
def test_a_plan_is_the_best_of_all_also_where_only_a_few_of_each_learners_pairs_were_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, objective: Objective, seed: int
) -> None:
    chance = random.Random(seed)
    skills = {FORESIGHT: chance.randint, STRATEGY: chance.randint}
    mentors = [
        replace(mentor(one), levels={skill: draw(1, 5) for skill, draw in skills.items()}, mentor_slots=draw_places)
        for one, draw_places in enumerate(chance.choices([0, 1, 2], k=14), 1)
    ]
    learners = [
        replace(
            learner(50 + one), targets={skill: TargetLevel(draw(1, 5), draw(1, 5)) for skill, draw in skills.items()}
        )
        for one in range(16)
    ]
    proposed = tuple({PairKey(chance.choice(mentors).id, one.id) for one in chance.sample(learners, 4)})
    forbidden = tuple(PairKey(chance.choice(mentors).id, one.id) for one in chance.sample(learners, 3))
    criteria = Criteria(objective=objective, move_price=chance.choice([None, 50]))
    asked = question(*mentors, *learners, open_proposals=proposed, forbidden=forbidden, criteria=criteria)
    whole = make_plan(asked)
    monkeypatch.setattr(boards, "MAX_FULL_PAIRS", 0)
    monkeypatch.setattr(boards, "CANDIDATES_PER_LEARNER", 2)
    made = make_plan(asked)
    assert made.exact
    assert made.optimality_gap == 0
    assert made.total == whole.total
    assert len(made.pairs) == len(whole.pairs)
    assert sum(one.score for one in made.dropped) + sum(
        one.score for one in made.pairs if one.standing == "proposed"
    ) == sum(one.score for one in whole.dropped) + sum(one.score for one in whole.pairs if one.standing == "proposed")


def test_the_fairest_plan_says_that_it_has_not_looked_at_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = [*(mentor(one) for one in range(1, 6)), *(learner(50 + one) for one in range(3))]
    monkeypatch.setattr(boards, "MAX_FULL_PAIRS", 0)
    monkeypatch.setattr(boards, "CANDIDATES_PER_LEARNER", 2)
    assert make_plan(question(*clusters, criteria=Criteria(objective="fairest"))).optimality_gap is None
