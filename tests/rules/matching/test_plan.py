"""Plans: optimal, explained, independent of the order of rows, and reproducible."""

import json
import random
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.rules.explaining.alternatives import explain
from services.matching.rules.explaining.input_diff import describe_changes
from services.matching.rules.explaining.plan_diff import compare, compare_replay, gini
from services.matching.rules.inputs.criteria import CapacityLimits, Criteria, Objective, Reserve
from services.matching.rules.inputs.plan_input import PairKey, PastPair, PlanInput
from services.matching.rules.inputs.plan_models import Plan
from services.matching.rules.inputs.profile import Profile, TargetLevel
from services.matching.rules.planning.input_validation import validation_errors
from services.matching.rules.planning.reserve import PRIOR_ARRIVALS, expected_arrivals
from services.matching.rules.report import make_plan
from services.matching.rules.scoring.features import features_of
from services.matching.rules.scoring.pair_score import Score, score_pair
from tests.rules.matching.clusters import CRITERIA, FORESIGHT, LEARNER, MENTOR, PROFILES, STRATEGY, TODAY

OBJECTIVES: tuple[Objective, ...] = ("total", "pairs", "fairest")


def mentor(number: int, level: int = 5, **values: Any) -> Profile:
    return replace(MENTOR, id=UUID(int=number), name=f"Mentor {number}", levels={FORESIGHT: level}, **values)


def learner(number: int, gap: int = 3, **values: Any) -> Profile:
    targets = {FORESIGHT: TargetLevel(1 + gap, 5), STRATEGY: TargetLevel(5, 5)}
    return replace(LEARNER, id=UUID(int=number), name=f"Learner {number}", targets=targets, requests={}, **values)


def plan_input_of(*clusters: Profile, **values: Any) -> PlanInput:
    return PlanInput(today=TODAY, clusters=clusters, **values)


def key(mentor: int, learner: int) -> PairKey:
    return PairKey(UUID(int=mentor), UUID(int=learner))


def pair_keys(plan: Plan) -> set[PairKey]:
    return {PairKey(pair.mentor_id, pair.learner_id) for pair in plan.pairs}


@given(
    st.lists(PROFILES, max_size=5, unique_by=lambda profile: profile.id),
    CRITERIA,
    st.sampled_from(OBJECTIVES),
    st.randoms(),
)
@settings(max_examples=40)
def test_the_order_of_rows_makes_no_difference(
    profiles: list[Profile], criteria: Criteria, objective: Objective, chance: random.Random
) -> None:
    plan_input = plan_input_of(*profiles, criteria=criteria.model_copy(update={"objective": objective}))
    chance.shuffle(profiles)
    again = replace(plan_input, clusters=tuple(profiles))
    assert again.digest == plan_input.digest
    assert make_plan(again) == make_plan(plan_input)


@given(st.lists(PROFILES, max_size=4, unique_by=lambda profile: profile.id), CRITERIA)
@settings(max_examples=40)
def test_a_question_and_its_plan_are_the_same_when_they_are_read_again(
    profiles: list[Profile], criteria: Criteria
) -> None:
    ids = [profile.id for profile in profiles]
    past = [PastPair(mentor, learner, "declined", TODAY) for mentor, learner in combinations(ids, 2)][:1]
    plan_input = plan_input_of(
        *profiles, criteria=criteria, past_pairs=tuple(past), forbidden=tuple(map(PairKey, ids, reversed(ids)))
    )
    read = PlanInput.from_data(json.loads(plan_input.as_json()))
    assert read == plan_input
    plan = make_plan(plan_input)
    fixed = Plan.model_validate_json(plan.model_dump_json())
    assert compare_replay(fixed, make_plan(read)).identical


def test_a_replay_that_differs_says_where() -> None:
    plan = make_plan(plan_input_of(mentor(1), learner(11)))
    other = compare_replay(plan, plan.model_copy(update={"total": 0, "exact": False}))
    assert not other.identical
    assert [difference.partition(" ")[0] for difference in other.differences] == ["total", "exact"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_kept_and_forced_pairs_are_in_the_plan_and_forbidden_ones_are_not(objective: Objective) -> None:
    clusters = [mentor(1, 5), mentor(2, 4), mentor(3, 3), *(learner(10 + number) for number in range(4))]
    fixed, forced, forbidden = key(3, 10), key(2, 11), key(1, 12)
    pairs = {"fixed_pairs": (fixed,), "forced": (forced,), "forbidden": (forbidden,)}
    plan_input = plan_input_of(*clusters, **pairs, criteria=Criteria(objective=objective))
    plan = make_plan(plan_input)
    assert plan.exact
    assert pair_keys(plan) == {fixed, forced, key(1, 13)}
    standing = {PairKey(pair.mentor_id, pair.learner_id): (pair.standing, pair.forced) for pair in plan.pairs}
    assert standing[fixed] == ("kept", False)
    assert standing[forced] == ("new", True)
    assert plan.total == sum(pair.score for pair in plan.pairs)


def test_each_score_is_that_of_the_pair_alone() -> None:
    plan_input = plan_input_of(mentor(1), learner(11))
    (pair,) = make_plan(plan_input).pairs
    score = score_pair(features_of(plan_input), pair.mentor_id, pair.learner_id)
    assert isinstance(score, Score)
    planned = [(term.term, term.hundredths) for term in pair.terms]
    assert planned == [(term.term, term.hundredths) for term in score.terms]


def test_an_open_proposal_stays_unless_it_has_a_price_and_then_moves_for_more_than_that() -> None:
    worse = key(1, 11)
    clusters = mentor(1, 3), mentor(2, 5), learner(11)
    stays = make_plan(plan_input_of(*clusters, open_proposals=(worse,)))
    assert pair_keys(stays) == {key(2, 11)}
    assert stays.dropped == ()
    gain = stays.total - make_plan(plan_input_of(*clusters, forced=(worse,))).total
    for price, moved in ((gain - 1, True), (gain + 1, False)):
        plan = make_plan(plan_input_of(*clusters, open_proposals=(worse,), criteria=Criteria(move_price=price)))
        assert (worse not in pair_keys(plan)) == moved
        withdrawn = [(proposal.mentor_id, proposal.learner_id) for proposal in plan.dropped]
        assert withdrawn == ([worse] if moved else [])


def test_a_reserved_place_is_not_given_for_little() -> None:
    clusters = [mentor(1), replace(learner(11), targets={FORESIGHT: TargetLevel(2, 1), STRATEGY: TargetLevel(5, 5)})]
    rich = [learner(20 + number, learner_slots=0) for number in range(3)]
    without = make_plan(plan_input_of(*clusters))
    assert len(without.pairs) == 1
    reserve = Reserve(on=True, arrivals=30, days=30)
    rich = [replace(learner, learner_slots=1) for learner in rich]
    plan = make_plan(plan_input_of(*clusters, *rich, criteria=Criteria(reserve=reserve)))
    assert all(pair.learner_id != UUID(int=11) for pair in plan.pairs)
    again = make_plan(plan_input_of(*clusters, *rich, criteria=Criteria(reserve=reserve)))
    assert again == plan
    (unmatched,) = [entry for entry in plan.unmatched if entry.learner_id == UUID(int=11)]
    assert unmatched.reason == (
        "The place with Mentor 1 is kept for a learner with a larger need in foresight, expected within 30 days; "
        "Learner 11 needs less."
    )


def test_arrivals_are_expected_as_the_criteria_say_or_the_history() -> None:
    def expected(*days: int, arrivals: int | None = None) -> float:
        arrived = tuple(TODAY - timedelta(days=day) for day in days)
        return expected_arrivals(
            plan_input_of(arrival_dates=arrived, criteria=Criteria(reserve=Reserve(on=True, arrivals=arrivals)))
        )

    assert expected(*range(0, 180, 30), arrivals=7) == 7
    assert expected() == PRIOR_ARRIVALS
    assert expected(30) == (PRIOR_ARRIVALS + 1) / 2, "a month of history counts like the prior"
    assert expected(*[90] * 30) == (PRIOR_ARRIVALS + 30) / 4
    assert expected(*[90] * 30, 200, 400) == expected(*[90] * 30), "what is long ago does not count"
    plan_input = plan_input_of(arrival_dates=(TODAY, TODAY - timedelta(days=3)))
    assert PlanInput.from_data(json.loads(plan_input.as_json())) == plan_input
    changes = describe_changes(plan_input_of(), plan_input)
    assert changes == ["Somebody has asked for help."]


def test_minimum_loads_that_cannot_be_met_are_explained_by_the_fewest_clusters() -> None:
    clusters = [mentor(1), mentor(2), mentor(3, languages=frozenset({"pt"})), learner(11), learner(12)]
    places = {
        UUID(int=1): CapacityLimits(mentor=2, mentor_least=2),
        UUID(int=2): CapacityLimits(mentor=2, mentor_least=1),
    }
    plan = make_plan(plan_input_of(*clusters, criteria=Criteria(places=places)))
    (infeasibility,) = plan.shortfalls
    assert set(infeasibility.clusters) == {UUID(int=1), UUID(int=2), UUID(int=11), UUID(int=12)}
    assert "Learner 11 and Learner 12" in infeasibility.reason


def test_who_is_left_out_is_told_why_and_what_would_help() -> None:
    mute = learner(13, languages=frozenset({"sr"}))
    content = learner(14)
    content = replace(content, targets={})
    plan = make_plan(plan_input_of(mentor(1), learner(11, 3), learner(12, 2), mute, content))
    unmatched = {entry.learner_id: entry for entry in plan.unmatched}
    assert unmatched[UUID(int=12)].cause == "competition"
    assert unmatched[UUID(int=12)].remedy == "One more place with Mentor 1 would give it a mentor."
    assert unmatched[UUID(int=13)].cause == "rules"
    assert "no working language in common" in unmatched[UUID(int=13)].reason
    assert unmatched[UUID(int=14)].cause == "nothing-to-learn"
    full = make_plan(plan_input_of(replace(mentor(1), mentor_slots=0), learner(11)))
    assert [(entry.cause, entry.remedy) for entry in full.unmatched] == [
        ("no-places", "One more place with Mentor 1 would do.")
    ]


def random_input(seed: int, objective: Objective) -> PlanInput:
    chance = random.Random(seed)
    mentors = [mentor(1 + number, chance.randint(2, 5), mentor_slots=chance.randint(0, 2)) for number in range(4)]
    learners = [
        learner(
            11 + number, chance.randint(1, 4), learner_slots=chance.randint(1, 2), country=chance.choice(["RS", "HU"])
        )
        for number in range(4)
    ]
    return plan_input_of(*mentors, *learners, criteria=Criteria(objective=objective))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(12))
def test_prices_alternates_and_counterfactuals_are_what_planning_anew_says(seed: int, objective: Objective) -> None:
    plan_input = random_input(seed, objective)
    plan = make_plan(plan_input)
    for price in plan.prices:
        cluster = next(cluster for cluster in plan_input.clusters if cluster.id == price.mentor_id)
        more = {price.mentor_id: CapacityLimits(mentor=cluster.mentor_slots + 1)}
        solved_again = make_plan(replace(plan_input, criteria=plan_input.criteria.model_copy(update={"places": more})))
        assert (solved_again.total - plan.total, len(solved_again.pairs) - len(plan.pairs)) == (
            price.gain,
            price.more_pairs,
        )
    for cluster in plan_input.clusters[4:]:
        explanation = explain(plan_input, cluster.id)
        assert len({alternate.mentor_id for alternate in explanation.alternates}) == len(explanation.alternates)
        for alternate in explanation.alternates:
            pair = PairKey(alternate.mentor_id, cluster.id)
            assert pair not in pair_keys(plan)
            forced = make_plan(replace(plan_input, forced=(pair,)))
            assert plan.total - forced.total == alternate.cost
            assert len(plan.pairs) - len(forced.pairs) == alternate.fewer_pairs


def test_a_counterfactual_says_what_it_takes() -> None:
    plan_input = plan_input_of(mentor(1, 5), mentor(2, 3), learner(11), learner(12, languages=frozenset({"sr"})))
    ids = [UUID(int=number) for number in (1, 2, 11, 12)]
    inside = explain(plan_input, ids[2], ids[0]).counterfactual
    assert inside is not None
    assert (inside.possible, inside.cost, inside.reason) == (True, 0, "The pair is in the plan.")
    other = explain(plan_input, ids[2], ids[1]).counterfactual
    assert other is not None
    assert other.possible
    assert other.missing == other.cost > 0
    never = explain(plan_input, ids[3], ids[0]).counterfactual
    assert never is not None
    assert not never.possible
    assert "no working language" in never.reason


def test_what_contradicts_itself_or_what_is_there_is_refused_by_name() -> None:
    first, second = key(1, 11), key(1, 12)
    clusters = [mentor(1), learner(11), learner(12), learner(13, languages=frozenset({"sr"}))]
    mute, stranger = key(1, 13), key(1, 99)
    assert list(validation_errors(plan_input_of(*clusters, forced=(first,)))) == []
    both = list(validation_errors(plan_input_of(*clusters, forced=(first,), forbidden=(first,))))
    assert both == [("forced", "Mentor 1 for Learner 11 is forced and forbidden at once.")]
    assert [field for field, _ in validation_errors(plan_input_of(*clusters, forced=(first, second)))] == ["forced"]
    assert "cannot be forced" in next(iter(validation_errors(plan_input_of(*clusters, forced=(mute,)))))[1]
    assert "not of this consortium" in next(iter(validation_errors(plan_input_of(*clusters, forbidden=(stranger,)))))[1]
    low = Criteria(places={UUID(int=1): CapacityLimits(mentor=0)})
    assert list(validation_errors(plan_input_of(*clusters, fixed_pairs=(first,), criteria=low))) == [
        ("criteria.places", "Mentor 1 has 1 pair as mentor, more than 0 places.")
    ]


def test_what_has_changed_is_told_by_name() -> None:
    before = plan_input_of(mentor(1), learner(11), learner(12))
    after = plan_input_of(mentor(1, 4), learner(11), learner(13), open_proposals=(key(1, 11),))
    assert describe_changes(before, after) == [
        "Learner 13 has joined.",
        "Learner 12 is gone.",
        "Mentor 1 has other levels.",
        "Mentor 1 with Learner 11 was proposed.",
    ]


def test_two_plans_side_by_side() -> None:
    plan_input = plan_input_of(mentor(1), mentor(2, 2), learner(11), learner(12))
    fewer = replace(plan_input, clusters=plan_input.clusters[1:])
    comparison = compare(plan_input, make_plan(plan_input), fewer, make_plan(fewer))
    assert (comparison.before.pairs, comparison.after.pairs) == (2, 1)
    assert (comparison.before.served, comparison.after.served) == (2, 1)
    assert comparison.after.worst == 0
    assert (
        sum(delta.after - delta.before for delta in comparison.shifts)
        == comparison.after.total - comparison.before.total
    )
    left = {(pair.mentor_id, pair.learner_id) for pair in make_plan(fewer).pairs}
    assert set(comparison.added) | set(comparison.dropped) == pair_keys(make_plan(plan_input)) ^ left


def test_gini() -> None:
    assert gini([5, 5, 5]) == 0
    assert gini([0, 0, 0]) == 0
    assert gini([0, 0, 0, 8]) == 750
