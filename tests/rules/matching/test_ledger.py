"""The ledger with its confirmed gains, how knowledge spreads, gaps and recommendations."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.rules.inputs.profile import Skill, TargetLevel
from services.matching.rules.mentoring.gaps import Gap, trace_gaps
from services.matching.rules.mentoring.ledger import (
    LedgerLine,
    LedgerSide,
    Reading,
    balances,
    confirm_lines,
    downstream,
    shares,
)
from services.matching.rules.mentoring.recommendations import (
    UpcomingActivity,
    recommend_activities,
    recommend_requests,
    white_spots,
)

A, B, C, D = (UUID(int=number) for number in range(1, 5))
FORESIGHT, STRATEGY = Skill("f", "foresight"), Skill("f", "strategy")
SPRING = date(2017, 3, 1)


def on(day: int) -> date:
    return SPRING + timedelta(days=day)


def line_of(
    teacher: UUID, learner: UUID, began: int, ended: int | None, reported: int = 1, *, skill: Skill = FORESIGHT
) -> LedgerLine:
    return LedgerLine(
        source_id=UUID(int=1000 * began + teacher.int),
        by="mentorship",
        state="completed",
        teacher_id=teacher,
        learner_id=learner,
        skill=skill,
        began_on=on(began),
        ended_on=None if ended is None else on(ended),
        planned=2,
        reported=reported,
    )


def readings(*levels: tuple[int, int]) -> list[Reading]:
    return [Reading(on(day), level) for day, level in levels]


@pytest.mark.parametrize(
    ("history", "confirmed"),
    [
        ([], None),
        ([(0, 1)], None),
        ([(20, 3)], None),
        ([(0, 1), (9, 2)], None),
        ([(0, 1), (10, 3)], 200),
        ([(0, 1), (11, 3), (30, 5)], 200),
        ([(0, 3), (11, 2)], 0),
    ],
)
def test_the_assessments_around_the_end_confirm_a_gain(history: list[tuple[int, int]], confirmed: int | None) -> None:
    (line,) = confirm_lines([line_of(A, B, 1, 10)], {(B, FORESIGHT): readings(*history)})
    assert line.confirmed == confirmed


def test_what_is_under_way_is_not_confirmed() -> None:
    (line,) = confirm_lines([line_of(A, B, 1, None)], {(B, FORESIGHT): readings((0, 1), (5, 2))})
    assert (line.confirmed, line.before) == (None, Reading(on(5), 2))


def test_several_share_what_was_gained_between_two_assessments() -> None:
    lines = [line_of(A, B, 1, 10, 2), line_of(C, B, 2, 12, 1), line_of(C, B, 20, 30, 1), line_of(C, D, 1, 10, 3)]
    history = {(B, FORESIGHT): readings((0, 1), (15, 2), (40, 4)), (D, FORESIGHT): readings((0, 1))}
    confirmed = {
        (line.teacher_id, line.learner_id, line.began_on): line.confirmed for line in confirm_lines(lines, history)
    }
    assert confirmed == {(A, B, on(1)): 67, (C, B, on(2)): 33, (C, B, on(20)): 200, (C, D, on(1)): None}


@given(st.integers(0, 10**6), st.lists(st.integers(0, 1000), min_size=1))
def test_shares_add_up_and_are_fair(whole: int, weights: list[int]) -> None:
    parts = shares(whole, weights)
    assert sum(parts) == whole
    assert min(parts) >= 0
    total = sum(weights)
    if total:
        assert all(abs(part * total - whole * weight) < total for part, weight in zip(parts, weights, strict=True))
    else:
        assert max(parts) - min(parts) <= 1


def test_knowledge_goes_on_in_the_same_skill_and_after_it_came() -> None:
    lines = [
        first := line_of(A, B, 1, 10),
        second := line_of(B, C, 10, 20),
        third := line_of(C, D, 25, 30),
        line_of(B, D, 5, 9),
        line_of(B, D, 11, 19, skill=STRATEGY),
        back := line_of(C, B, 40, 50),
    ]
    steps = downstream(lines, A)
    assert [(step.depth, step.line) for step in steps] == [(1, first), (2, second), (3, third), (3, back)]
    assert downstream(lines, D) == []
    assert [step.depth for step in downstream([line_of(A, B, 1, None), line_of(B, C, 5, 9)], A)] == [1]


def test_balances_count_both_ways() -> None:
    lines = confirm_lines(
        [line_of(A, B, 1, 10, 2), line_of(B, A, 1, 10, 1), line_of(A, C, 1, 10, 1)],
        {(B, FORESIGHT): readings((0, 1), (20, 2))},
    )
    sides = {balance.cluster_id: (balance.given, balance.taken) for balance in balances(lines)}
    assert sides == {
        A: (LedgerSide(2, 3, 100), LedgerSide(1, 1, 0)),
        B: (LedgerSide(1, 1, 0), LedgerSide(1, 2, 100)),
        C: (LedgerSide(), LedgerSide(1, 1, 0)),
    }


def test_a_need_tells_the_way_from_its_gap_to_the_new_level() -> None:
    lines = confirm_lines([line_of(A, B, 1, 10)], {})
    (first, second) = trace_gaps(
        {B: {STRATEGY: TargetLevel(3, 1), FORESIGHT: TargetLevel(5, 4)}},
        {(B, FORESIGHT): readings((0, 1), (20, 3))},
        {B: {FORESIGHT: 4}},
        lines,
    )
    assert (first.skill, first.first, first.level, first.provisional) == (FORESIGHT, Reading(on(0), 1), 3, 4)
    assert (first.missing, list(first.lines)) == (1, lines)
    assert (second.skill, second.first, second.level, second.missing, list(second.lines)) == (STRATEGY, None, 0, 3, [])


def gap(cluster: UUID, level: int, target: int, skill: Skill = FORESIGHT, priority: int = 3) -> Gap:
    return Gap(cluster, skill, TargetLevel(target, priority), None, level, level, ())


def activity(number: int, host: UUID, teaches: dict[Skill, int]) -> UpcomingActivity:
    return UpcomingActivity(UUID(int=number), "joint_training", f"Training {number}", host, SPRING, teaches)


def test_activities_are_ranked_by_the_gaps_that_they_close() -> None:
    gaps = [gap(B, 1, 4, priority=5), gap(B, 2, 3, STRATEGY, priority=2), gap(C, 4, 4), gap(A, 1, 5)]
    activities = [
        activity(1, A, {STRATEGY: 4}),
        activity(2, A, {FORESIGHT: 2, STRATEGY: 1}),
        activity(3, B, {FORESIGHT: 1}),
    ]
    recommendations = recommend_activities(gaps, activities)
    assert [(entry.cluster_id, entry.activity.id.int, entry.worth) for entry in recommendations] == [
        (A, 3, 3),
        (B, 2, 12),
        (B, 1, 2),
    ]
    reason = "It teaches foresight (2 levels of the 3 missing) and strategy (1 level of the 1 missing)."
    assert recommendations[1].reason == reason


def test_what_no_activity_teaches_is_to_be_asked_for() -> None:
    levels = {A: {FORESIGHT: 5}, B: {FORESIGHT: 1}, C: {FORESIGHT: 3}, D: {FORESIGHT: 5}}
    (ask,) = recommend_requests([gap(B, 1, 4), gap(D, 5, 5)], [], levels)
    assert (ask.cluster_id, list(ask.able)) == (B, [A, D, C])
    assert ask.reason == "No activity to come teaches foresight. 3 clusters stand above you in it."
    assert recommend_requests([gap(B, 1, 4)], [activity(1, A, {FORESIGHT: 1})], levels) == []
    assert recommend_requests([gap(A, 5, 6)], [], levels) == [], "there is nobody to ask"
    (own,) = recommend_requests([gap(B, 1, 4)], [activity(1, B, {FORESIGHT: 1})], levels)
    assert own.cluster_id == B, "one's own training does not teach oneself"


def test_what_three_need_and_nobody_offers_is_a_white_spot() -> None:
    gaps = [gap(A, 1, 2), gap(B, 1, 4), gap(C, 2, 3), gap(D, 1, 5, STRATEGY), gap(C, 1, 5, STRATEGY)]
    levels = {D: {FORESIGHT: 4}, B: {FORESIGHT: 1}}
    (spot,) = white_spots(gaps, [], levels)
    assert (spot.skill, list(spot.needing), spot.levels, list(spot.able)) == (FORESIGHT, [A, B, C], 5, [D])
    assert white_spots(gaps, [activity(1, D, {FORESIGHT: 1})], levels) == []
