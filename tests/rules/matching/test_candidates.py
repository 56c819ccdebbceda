"""All pairs are scored at once exactly as each is scored alone; leaving some out loses no more than is said."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.rules.inputs.criteria import Criteria, Pair, Rules, Weights
from services.matching.rules.inputs.profile import Aim, Profile
from services.matching.rules.scoring.candidates import GROUP, worths
from services.matching.rules.scoring.features import History, Table
from services.matching.rules.scoring.pair_score import Excluded, Score, score
from tests.rules.matching.clusters import CRITERIA, FORESIGHT, LEARNER, MENTOR, PROFILES, STRATEGY, TODAY

CONSORTIA = st.lists(PROFILES, max_size=6, unique_by=lambda one: one.id)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A consortium with any criteria and any past."""
    profiles = draw(CONSORTIA)
    ids = st.sampled_from([one.id for one in profiles] or [MENTOR.id])
    pairs = draw(st.lists(st.tuples(ids, ids), max_size=4))
    rules = Rules(
        language=draw(st.booleans()),
        other_country=draw(st.booleans()),
        teaches=draw(st.booleans()),
        label=draw(st.sampled_from(["none", "silver"])),
        conflicts=tuple(Pair(mentor_id=one, learner_id=other) for one, other in pairs[:1]),
        not_as_mentor=tuple(one for one, _ in pairs[1:2]),
        not_as_learner=tuple(one for one, _ in pairs[2:3]),
    )
    days = draw(st.integers(0, 400))
    declined = tuple((one, other, TODAY - timedelta(days=days)) for one, other in pairs[3:])
    criteria = draw(CRITERIA).model_copy(update={"rules": rules})
    return Table(profiles, criteria, History(TODAY, frozenset(pairs[:2]), declined))


@given(tables())
def test_all_pairs_at_once_are_what_each_is_alone(table: Table) -> None:
    found = worths(table)
    ids = [one.id for one in table.profiles]
    at_once = {
        (ids[mentor], ids[learner]): int(points)
        for mentor, learner, points in zip(found.mentor, found.learner, found.score, strict=True)
    }
    each = {(one, other): score(table, one, other) for other in ids for one in ids}
    assert at_once == {pair: given.total for pair, given in each.items() if isinstance(given, Score)}
    assert list(at_once) == [pair for pair in each if pair in at_once]
    assert not found.cut.any()


@given(tables(), st.integers(1, 3))
def test_the_best_of_each_learner_are_kept_and_the_best_of_the_others_is_told(table: Table, top: int) -> None:
    everything, best = worths(table), worths(table, top)
    for learner in range(len(table.profiles)):
        points = sorted(everything.score[everything.learner == learner].tolist(), reverse=True)
        assert sorted(best.score[best.learner == learner].tolist(), reverse=True) == points[:top]
        assert best.cut[learner] == (points[top] if len(points) > top else 0)


@pytest.mark.parametrize("seed", range(4))
def test_of_many_mentors_the_same_stay_as_if_all_were_compared(seed: int) -> None:
    chance = random.Random(seed)
    profiles = [
        replace(
            MENTOR,
            id=UUID(int=chance.getrandbits(128)),
            country=chance.choice(["HU", "RS", "AT"]),
            levels={skill: chance.randint(0, 5) for skill in (FORESIGHT, STRATEGY)},
            aims={chance.choice([FORESIGHT, STRATEGY]): Aim(5, chance.randint(1, 5))},
            ecosystems=frozenset(chance.sample(["health", "digital", "tourism"], 2)),
        )
        for _ in range(7 * GROUP)
    ]
    weights = Weights(knowledge=chance.randint(1, 9999), travel=chance.randint(1, 9999))
    table = Table(profiles, Criteria(weights=weights), History(TODAY))
    everything, best = worths(table), worths(table, top=6)
    for learner in range(len(profiles)):
        its = everything.learner == learner
        ranked = sorted(zip(-everything.score[its], everything.mentor[its], strict=True))
        assert best.mentor[best.learner == learner].tolist() == sorted(mentor for _, mentor in ranked[:6])
        assert best.cut[learner] == (-ranked[6][0] if len(ranked) > 6 else 0)


@pytest.mark.parametrize("rule", ["consent", "conflict", "language", "other_country", "label", "freeze", "teaches"])
def test_each_rule_excludes_and_says_why(rule: str) -> None:
    pair = Pair(mentor_id=LEARNER.id, learner_id=MENTOR.id)
    cases: dict[str, tuple[Sequence[Profile], Rules, History]] = {
        "consent": ([MENTOR, LEARNER], Rules(not_as_learner=(LEARNER.id,)), History(TODAY)),
        "conflict": ([MENTOR, LEARNER], Rules(conflicts=(pair,)), History(TODAY)),
        "language": ([replace(MENTOR, languages=frozenset({"hu"})), LEARNER], Rules(), History(TODAY)),
        "other_country": ([replace(MENTOR, country="RS"), LEARNER], Rules(other_country=True), History(TODAY)),
        "label": ([replace(MENTOR, label="bronze"), LEARNER], Rules(label="silver"), History(TODAY)),
        "freeze": (
            [MENTOR, LEARNER],
            Rules(freeze_days=30),
            History(TODAY, declined=((MENTOR.id, LEARNER.id, TODAY - timedelta(days=29)),)),
        ),
        "teaches": ([replace(MENTOR, levels={}), LEARNER], Rules(), History(TODAY)),
    }
    profiles, rules, history = cases[rule]
    excluded = score(Table(profiles, Criteria(rules=rules), history), MENTOR.id, LEARNER.id)
    assert isinstance(excluded, Excluded)
    assert excluded.rule == rule
    assert excluded.reason.endswith(".")
    off = Criteria(rules=Rules(language=False, teaches=False, freeze_days=29))
    assert isinstance(score(Table(profiles, off, history), MENTOR.id, LEARNER.id), Score)


def test_of_equal_mentors_the_first_stay_whatever_the_order_of_rows() -> None:
    twins = [replace(MENTOR, id=type(MENTOR.id)(int=10 + number)) for number in range(5)]
    found = worths(Table([*twins, LEARNER], Criteria(), History(TODAY)), top=2)
    assert found.mentor.tolist() == [0, 1]
    assert found.cut[-1] == found.score[0]
    assert np.unique(found.score).size == 1
