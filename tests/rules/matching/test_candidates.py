"""Scores of all pairs at once equal the score of each pair; candidates are the best of each learner."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.rules.inputs.criteria import ConflictPair, Criteria, Rules, Weights
from services.matching.rules.inputs.profile import Profile, TargetLevel
from services.matching.rules.scoring.candidates import GROUP_SIZE, candidate_pairs
from services.matching.rules.scoring.features import ClusterFeatures, PairHistory
from services.matching.rules.scoring.pair_score import Excluded, Score, score_pair
from tests.rules.matching.clusters import CRITERIA, FORESIGHT, LEARNER, MENTOR, PROFILES, STRATEGY, TODAY

CONSORTIA = st.lists(PROFILES, max_size=6, unique_by=lambda profile: profile.id)


@st.composite
def any_features(draw: st.DrawFn) -> ClusterFeatures:
    """A consortium with any criteria and any history."""
    profiles = draw(CONSORTIA)
    ids = st.sampled_from([profile.id for profile in profiles] or [MENTOR.id])
    pairs = draw(st.lists(st.tuples(ids, ids), max_size=4))
    rules = Rules(
        language=draw(st.booleans()),
        other_country=draw(st.booleans()),
        teaches=draw(st.booleans()),
        label=draw(st.sampled_from(["none", "silver"])),
        conflicts=tuple(ConflictPair(mentor_id=mentor, learner_id=learner) for mentor, learner in pairs[:1]),
        not_as_mentor=tuple(mentor for mentor, _ in pairs[1:2]),
        not_as_learner=tuple(mentor for mentor, _ in pairs[2:3]),
    )
    days = draw(st.integers(0, 400))
    declined = tuple((mentor, learner, TODAY - timedelta(days=days)) for mentor, learner in pairs[3:])
    criteria = draw(CRITERIA).model_copy(update={"rules": rules})
    return ClusterFeatures(profiles, criteria, PairHistory(TODAY, frozenset(pairs[:2]), declined))


@given(any_features())
def test_all_pairs_at_once_are_what_each_is_alone(features: ClusterFeatures) -> None:
    candidates = candidate_pairs(features)
    ids = [profile.id for profile in features.profiles]
    at_once = {
        (ids[mentor], ids[learner]): int(points)
        for mentor, learner, points in zip(candidates.mentor, candidates.learner, candidates.score, strict=True)
    }
    each = {(id, other): score_pair(features, id, other) for other in ids for id in ids}
    assert at_once == {pair: score.total for pair, score in each.items() if isinstance(score, Score)}
    assert list(at_once) == [pair for pair in each if pair in at_once]
    assert not candidates.best_unexamined.any()


@given(any_features(), st.integers(1, 3))
def test_the_best_of_each_learner_are_kept_and_the_best_of_the_others_is_told(
    features: ClusterFeatures, top: int
) -> None:
    everything, best = candidate_pairs(features), candidate_pairs(features, top)
    for learner in range(len(features.profiles)):
        points = sorted(everything.score[everything.learner == learner].tolist(), reverse=True)
        assert sorted(best.score[best.learner == learner].tolist(), reverse=True) == points[:top]
        assert best.best_unexamined[learner] == (points[top] if len(points) > top else 0)


@pytest.mark.parametrize("seed", range(4))
def test_of_many_mentors_the_same_stay_as_if_all_were_compared(seed: int) -> None:
    chance = random.Random(seed)
    profiles = [
        replace(
            MENTOR,
            id=UUID(int=chance.getrandbits(128)),
            country=chance.choice(["HU", "RS", "AT"]),
            levels={skill: chance.randint(0, 5) for skill in (FORESIGHT, STRATEGY)},
            targets={chance.choice([FORESIGHT, STRATEGY]): TargetLevel(5, chance.randint(1, 5))},
            ecosystems=frozenset(chance.sample(["health", "digital", "tourism"], 2)),
        )
        for _ in range(7 * GROUP_SIZE)
    ]
    weights = Weights(knowledge=chance.randint(1, 9999), travel=chance.randint(1, 9999))
    features = ClusterFeatures(profiles, Criteria(weights=weights), PairHistory(TODAY))
    everything, best = candidate_pairs(features), candidate_pairs(features, limit=6)
    for learner in range(len(profiles)):
        its = everything.learner == learner
        ranked = sorted(zip(-everything.score[its], everything.mentor[its], strict=True))
        assert best.mentor[best.learner == learner].tolist() == sorted(mentor for _, mentor in ranked[:6])
        assert best.best_unexamined[learner] == (-ranked[6][0] if len(ranked) > 6 else 0)


@pytest.mark.parametrize("rule", ["consent", "conflict", "language", "other_country", "label", "freeze", "teaches"])
def test_each_rule_excludes_and_says_why(rule: str) -> None:
    pair = ConflictPair(mentor_id=LEARNER.id, learner_id=MENTOR.id)
    cases: dict[str, tuple[Sequence[Profile], Rules, PairHistory]] = {
        "consent": ([MENTOR, LEARNER], Rules(not_as_learner=(LEARNER.id,)), PairHistory(TODAY)),
        "conflict": ([MENTOR, LEARNER], Rules(conflicts=(pair,)), PairHistory(TODAY)),
        "language": ([replace(MENTOR, languages=frozenset({"hu"})), LEARNER], Rules(), PairHistory(TODAY)),
        "other_country": ([replace(MENTOR, country="RS"), LEARNER], Rules(other_country=True), PairHistory(TODAY)),
        "label": ([replace(MENTOR, label="bronze"), LEARNER], Rules(label="silver"), PairHistory(TODAY)),
        "freeze": (
            [MENTOR, LEARNER],
            Rules(freeze_days=30),
            PairHistory(TODAY, declined=((MENTOR.id, LEARNER.id, TODAY - timedelta(days=29)),)),
        ),
        "teaches": ([replace(MENTOR, levels={}), LEARNER], Rules(), PairHistory(TODAY)),
    }
    profiles, rules, history = cases[rule]
    excluded = score_pair(ClusterFeatures(profiles, Criteria(rules=rules), history), MENTOR.id, LEARNER.id)
    assert isinstance(excluded, Excluded)
    assert excluded.rule == rule
    assert excluded.reason.endswith(".")
    off = Criteria(rules=Rules(language=False, teaches=False, freeze_days=29))
    assert isinstance(score_pair(ClusterFeatures(profiles, off, history), MENTOR.id, LEARNER.id), Score)


def test_of_equal_mentors_the_first_stay_whatever_the_order_of_rows() -> None:
    twins = [replace(MENTOR, id=type(MENTOR.id)(int=10 + number)) for number in range(5)]
    candidates = candidate_pairs(ClusterFeatures([*twins, LEARNER], Criteria(), PairHistory(TODAY)), limit=2)
    assert candidates.mentor.tolist() == [0, 1]
    assert candidates.best_unexamined[-1] == candidates.score[0]
    assert np.unique(candidates.score).size == 1
