"""The answer to a question: exact, explained, the same whatever the order of rows, and the same years later."""

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


def mentor(number: int, level: int = 5, **facts: Any) -> Profile:
    return replace(MENTOR, id=UUID(int=number), name=f"Mentor {number}", levels={FORESIGHT: level}, **facts)


def learner(number: int, gap: int = 3, **facts: Any) -> Profile:
    targets = {FORESIGHT: TargetLevel(1 + gap, 5), STRATEGY: TargetLevel(5, 5)}
    return replace(LEARNER, id=UUID(int=number), name=f"Learner {number}", targets=targets, requests={}, **facts)


def question(*clusters: Profile, **other: Any) -> PlanInput:
    return PlanInput(today=TODAY, clusters=clusters, **other)


def twos(plan: Plan) -> set[PairKey]:
    return {PairKey(pair.mentor_id, pair.learner_id) for pair in plan.pairs}


@given(
    st.lists(PROFILES, max_size=5, unique_by=lambda one: one.id), CRITERIA, st.sampled_from(OBJECTIVES), st.randoms()
)
@settings(max_examples=40)
def test_the_order_of_rows_makes_no_difference(
    profiles: list[Profile], criteria: Criteria, objective: Objective, chance: random.Random
) -> None:
    asked = question(*profiles, criteria=criteria.model_copy(update={"objective": objective}))
    chance.shuffle(profiles)
    again = replace(asked, clusters=tuple(profiles))
    assert again.digest == asked.digest
    assert make_plan(again) == make_plan(asked)


@given(st.lists(PROFILES, max_size=4, unique_by=lambda one: one.id), CRITERIA)
@settings(max_examples=40)
def test_a_question_and_its_plan_are_the_same_when_they_are_read_again(
    profiles: list[Profile], criteria: Criteria
) -> None:
    ids = [one.id for one in profiles]
    past = [PastPair(one, other, "declined", TODAY) for one, other in combinations(ids, 2)][:1]
    asked = question(
        *profiles, criteria=criteria, past_pairs=tuple(past), forbidden=tuple(map(PairKey, ids, reversed(ids)))
    )
    read = PlanInput.from_data(json.loads(asked.as_json()))
    assert read == asked
    made = make_plan(asked)
    kept = Plan.model_validate_json(made.model_dump_json())
    assert compare_replay(kept, make_plan(read)).identical


def test_a_replay_that_differs_says_where() -> None:
    made = make_plan(question(mentor(1), learner(11)))
    other = compare_replay(made, made.model_copy(update={"total": 0, "exact": False}))
    assert not other.identical
    assert [one.partition(" ")[0] for one in other.differences] == ["total", "exact"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_kept_and_forced_pairs_are_in_the_plan_and_forbidden_ones_are_not(objective: Objective) -> None:
    clusters = [mentor(1, 5), mentor(2, 4), mentor(3, 3), *(learner(10 + number) for number in range(4))]
    kept, forced, forbidden = (
        PairKey(UUID(int=3), UUID(int=10)),
        PairKey(UUID(int=2), UUID(int=11)),
        PairKey(UUID(int=1), UUID(int=12)),
    )
    asked = question(
        *clusters, fixed_pairs=(kept,), forced=(forced,), forbidden=(forbidden,), criteria=Criteria(objective=objective)
    )
    made = make_plan(asked)
    assert made.exact
    assert twos(made) == {kept, forced, PairKey(UUID(int=1), UUID(int=13))}
    standing = {PairKey(one.mentor_id, one.learner_id): (one.standing, one.forced) for one in made.pairs}
    assert standing[kept] == ("kept", False)
    assert standing[forced] == ("new", True)
    assert made.total == sum(one.score for one in made.pairs)


def test_each_score_is_that_of_the_pair_alone() -> None:
    asked = question(mentor(1), learner(11))
    (pair,) = make_plan(asked).pairs
    given = score_pair(features_of(asked), pair.mentor_id, pair.learner_id)
    assert isinstance(given, Score)
    assert [(one.term, one.hundredths) for one in pair.terms] == [(one.term, one.hundredths) for one in given.terms]


def test_an_open_proposal_stays_unless_it_has_a_price_and_then_moves_for_more_than_that() -> None:
    worse = PairKey(UUID(int=1), UUID(int=11))
    clusters = mentor(1, 3), mentor(2, 5), learner(11)
    stays = make_plan(question(*clusters, open_proposals=(worse,)))
    assert twos(stays) == {PairKey(UUID(int=2), UUID(int=11))}
    assert stays.dropped == ()
    gain = stays.total - make_plan(question(*clusters, forced=(worse,))).total
    for price, moved in ((gain - 1, True), (gain + 1, False)):
        made = make_plan(question(*clusters, open_proposals=(worse,), criteria=Criteria(move_price=price)))
        assert (worse not in twos(made)) == moved
        assert [PairKey(one.mentor_id, one.learner_id) for one in made.dropped] == ([worse] if moved else [])


def test_a_reserved_place_is_not_given_for_little() -> None:
    clusters = [mentor(1), replace(learner(11), targets={FORESIGHT: TargetLevel(2, 1), STRATEGY: TargetLevel(5, 5)})]
    rich = [learner(20 + number, learner_slots=0) for number in range(3)]
    without = make_plan(question(*clusters))
    assert len(without.pairs) == 1
    reserve = Reserve(on=True, arrivals=30, days=30)
    rich = [replace(one, learner_slots=1) for one in rich]
    made = make_plan(question(*clusters, *rich, criteria=Criteria(reserve=reserve)))
    assert all(pair.learner_id != UUID(int=11) for pair in made.pairs)
    again = make_plan(question(*clusters, *rich, criteria=Criteria(reserve=reserve)))
    assert again == made
    (told,) = [one for one in made.unmatched if one.learner_id == UUID(int=11)]
    assert told.reason == (
        "The place with Mentor 1 is kept for a learner with a larger need in foresight, expected within 30 days; "
        "Learner 11 needs less."
    )


def test_arrivals_are_expected_as_the_criteria_say_or_the_history() -> None:
    def of(*days: int, arrivals: int | None = None) -> float:
        arrived = tuple(TODAY - timedelta(days=day) for day in days)
        return expected_arrivals(
            question(arrival_dates=arrived, criteria=Criteria(reserve=Reserve(on=True, arrivals=arrivals)))
        )

    assert of(*range(0, 180, 30), arrivals=7) == 7
    assert of() == PRIOR_ARRIVALS
    assert of(30) == (PRIOR_ARRIVALS + 1) / 2, "a month of history counts like the prior"
    assert of(*[90] * 30) == (PRIOR_ARRIVALS + 30) / 4
    assert of(*[90] * 30, 200, 400) == of(*[90] * 30), "what is long ago does not count"
    asked = question(arrival_dates=(TODAY, TODAY - timedelta(days=3)))
    assert PlanInput.from_data(json.loads(asked.as_json())) == asked
    told = describe_changes(question(), asked)
    assert told == ["Somebody has asked for help."]


def test_minimum_loads_that_cannot_be_met_are_explained_by_the_fewest_clusters() -> None:
    clusters = [mentor(1), mentor(2), mentor(3, languages=frozenset({"pt"})), learner(11), learner(12)]
    places = {
        UUID(int=1): CapacityLimits(mentor=2, mentor_least=2),
        UUID(int=2): CapacityLimits(mentor=2, mentor_least=1),
    }
    made = make_plan(question(*clusters, criteria=Criteria(places=places)))
    (short,) = made.shortfalls
    assert set(short.clusters) == {UUID(int=1), UUID(int=2), UUID(int=11), UUID(int=12)}
    assert "Learner 11 and Learner 12" in short.reason


def test_who_is_left_out_is_told_why_and_what_would_help() -> None:
    mute = learner(13, languages=frozenset({"sr"}))
    content = learner(14)
    content = replace(content, targets={})
    made = make_plan(question(mentor(1), learner(11, 3), learner(12, 2), mute, content))
    told = {one.learner_id: one for one in made.unmatched}
    assert told[UUID(int=12)].cause == "competition"
    assert told[UUID(int=12)].remedy == "One more place with Mentor 1 would give it a mentor."
    assert told[UUID(int=13)].cause == "rules"
    assert "no working language in common" in told[UUID(int=13)].reason
    assert told[UUID(int=14)].cause == "nothing-to-learn"
    full = make_plan(question(replace(mentor(1), mentor_slots=0), learner(11)))
    assert [(one.cause, one.remedy) for one in full.unmatched] == [
        ("no-places", "One more place with Mentor 1 would do.")
    ]


def some_question(seed: int, objective: Objective) -> PlanInput:
    chance = random.Random(seed)
    mentors = [mentor(1 + number, chance.randint(2, 5), mentor_slots=chance.randint(0, 2)) for number in range(4)]
    learners = [
        learner(
            11 + number, chance.randint(1, 4), learner_slots=chance.randint(1, 2), country=chance.choice(["RS", "HU"])
        )
        for number in range(4)
    ]
    return question(*mentors, *learners, criteria=Criteria(objective=objective))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(12))
def test_prices_alternates_and_counterfactuals_are_what_planning_anew_says(seed: int, objective: Objective) -> None:
    asked = some_question(seed, objective)
    made = make_plan(asked)
    for price in made.prices:
        cluster = next(one for one in asked.clusters if one.id == price.mentor_id)
        more = {price.mentor_id: CapacityLimits(mentor=cluster.mentor_slots + 1)}
        anew = make_plan(replace(asked, criteria=asked.criteria.model_copy(update={"places": more})))
        assert (anew.total - made.total, len(anew.pairs) - len(made.pairs)) == (price.gain, price.more_pairs)
    for one in asked.clusters[4:]:
        told = explain(asked, one.id)
        assert len({alternate.mentor_id for alternate in told.alternates}) == len(told.alternates)
        for alternate in told.alternates:
            two = PairKey(alternate.mentor_id, one.id)
            assert two not in twos(made)
            forced = make_plan(replace(asked, forced=(two,)))
            assert made.total - forced.total == alternate.cost
            assert len(made.pairs) - len(forced.pairs) == alternate.fewer_pairs


def test_a_counterfactual_says_what_it_takes() -> None:
    asked = question(mentor(1, 5), mentor(2, 3), learner(11), learner(12, languages=frozenset({"sr"})))
    ids = [UUID(int=number) for number in (1, 2, 11, 12)]
    inside = explain(asked, ids[2], ids[0]).counterfactual
    assert inside is not None
    assert (inside.possible, inside.cost, inside.reason) == (True, 0, "The pair is in the plan.")
    other = explain(asked, ids[2], ids[1]).counterfactual
    assert other is not None
    assert other.possible
    assert other.missing == other.cost > 0
    never = explain(asked, ids[3], ids[0]).counterfactual
    assert never is not None
    assert not never.possible
    assert "no working language" in never.reason


def test_what_contradicts_itself_or_what_is_there_is_refused_by_name() -> None:
    one, two = PairKey(UUID(int=1), UUID(int=11)), PairKey(UUID(int=1), UUID(int=12))
    clusters = [mentor(1), learner(11), learner(12), learner(13, languages=frozenset({"sr"}))]
    mute, stranger = PairKey(UUID(int=1), UUID(int=13)), PairKey(UUID(int=1), UUID(int=99))
    assert list(validation_errors(question(*clusters, forced=(one,)))) == []
    both = list(validation_errors(question(*clusters, forced=(one,), forbidden=(one,))))
    assert both == [("forced", "Mentor 1 for Learner 11 is forced and forbidden at once.")]
    assert [field for field, _ in validation_errors(question(*clusters, forced=(one, two)))] == ["forced"]
    assert "cannot be forced" in next(iter(validation_errors(question(*clusters, forced=(mute,)))))[1]
    assert "not of this consortium" in next(iter(validation_errors(question(*clusters, forbidden=(stranger,)))))[1]
    low = Criteria(places={UUID(int=1): CapacityLimits(mentor=0)})
    assert list(validation_errors(question(*clusters, fixed_pairs=(one,), criteria=low))) == [
        ("criteria.places", "Mentor 1 has 1 pair as mentor, more than 0 places.")
    ]


def test_what_has_changed_is_told_by_name() -> None:
    before = question(mentor(1), learner(11), learner(12))
    after = question(mentor(1, 4), learner(11), learner(13), open_proposals=(PairKey(UUID(int=1), UUID(int=11)),))
    assert describe_changes(before, after) == [
        "Learner 13 has joined.",
        "Learner 12 is gone.",
        "Mentor 1 has other levels.",
        "Mentor 1 with Learner 11 was proposed.",
    ]


def test_two_plans_side_by_side() -> None:
    asked = question(mentor(1), mentor(2, 2), learner(11), learner(12))
    fewer = replace(asked, clusters=asked.clusters[1:])
    seen = compare(asked, make_plan(asked), fewer, make_plan(fewer))
    assert (seen.before.pairs, seen.after.pairs) == (2, 1)
    assert (seen.before.served, seen.after.served) == (2, 1)
    assert seen.after.worst == 0
    assert sum(one.after - one.before for one in seen.shifts) == seen.after.total - seen.before.total
    left = {(pair.mentor_id, pair.learner_id) for pair in make_plan(fewer).pairs}
    assert set(seen.added) | set(seen.dropped) == twos(make_plan(asked)) ^ left


def test_gini() -> None:
    assert gini([5, 5, 5]) == 0
    assert gini([0, 0, 0]) == 0
    assert gini([0, 0, 0, 8]) == 750
