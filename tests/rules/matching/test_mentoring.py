"""Programme, health, reminders, outcome and next step of mentorships."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.matching.rules.inputs.profile import Skill, TargetLevel
from services.matching.rules.mentoring.health import CheckIn, GoalProgress, MentorshipProgress, health
from services.matching.rules.mentoring.next_step import MentorshipStatus, next_step
from services.matching.rules.mentoring.outcome import MeasuredGoal, outcome
from services.matching.rules.mentoring.programme import DEFAULT_TEMPLATE, TEMPLATES, agreement, ends_on, first_goals
from services.matching.rules.mentoring.reminders import (
    closing_date,
    due_reminder,
    is_abandoned,
    survey_days,
)
from tests.rules.matching.clusters import FORESIGHT, LEARNER, MENTOR, STRATEGY, TODAY

START = TODAY - timedelta(days=60)
FINANCING, PEOPLE = Skill(FORESIGHT.framework, "financing"), Skill(FORESIGHT.framework, "governance")


def after(days: int) -> date:
    return START + timedelta(days=days)


def points(progress: MentorshipProgress, today: date = TODAY) -> dict[str, tuple[int, bool]]:
    return {part.part: (part.points, part.known) for part in health(progress, today)}


GOAL = GoalProgress(1, 1, 4, after(180))
NEW = MentorshipProgress(started_on=TODAY, every_days=14)
GOOD = MentorshipProgress(
    started_on=START,
    every_days=14,
    held=[after(7), after(20), after(33), after(50)],
    goals=[GOAL._replace(reached=3)],
    check_ins=[CheckIn("mentor", after(55), 5), CheckIn("learner", after(56), 5)],
)


def test_the_best_is_a_hundred_and_what_nobody_knows_is_half() -> None:
    assert sum(part.points for part in health(GOOD, TODAY)) == 100
    assert sum(part.of for part in health(GOOD, TODAY)) == 100
    parts = health(NEW, TODAY)
    assert not any(part.known for part in parts)
    assert [part.points for part in parts] == [part.of // 2 for part in parts]
    assert all(part.reason.endswith(".") for part in (*parts, *health(GOOD, TODAY)))


def test_who_never_met_is_in_alarm() -> None:
    parts = points(replace(NEW, started_on=START, goals=[GOAL]))
    assert parts == {
        "first_meeting": (0, True),
        "rhythm": (0, True),
        "goals": (0, True),
        "check_ins": (0, True),
        "sentiment": (10, False),
    }


@pytest.mark.parametrize(("held", "expected"), [(0, 0), (1, 6), (2, 12), (4, 24), (9, 24)])
def test_rhythm_is_meetings_of_those_that_were_due(held: int, expected: int) -> None:
    progress = replace(GOOD, held=[after(day) for day in range(1, held + 1)])
    assert points(progress)["rhythm"] == (expected, True)


def test_meetings_of_long_ago_keep_no_rhythm() -> None:
    old = replace(GOOD, started_on=TODAY - timedelta(days=300), held=[TODAY - timedelta(days=200)] * 9)
    assert points(old)["rhythm"] == (0, True)
    assert points(old)["first_meeting"] == (20, True)


@pytest.mark.parametrize(("reached", "expected"), [(1, (0, True)), (2, (20, True)), (0, (0, True)), (9, (20, True))])
def test_goals_move_evenly_or_better(reached: int, expected: tuple[int, bool]) -> None:
    assert points(replace(GOOD, goals=[GOAL._replace(reached=reached)]))["goals"] == expected


def test_young_goals_are_not_judged() -> None:
    assert points(replace(GOOD, goals=[GOAL._replace(due_on=after(600))]))["goals"] == (10, False)
    assert points(replace(GOOD, goals=[]))["goals"] == (10, False)


def test_the_newest_word_of_each_side_counts() -> None:
    check_ins = [CheckIn("mentor", after(10), 5), CheckIn("mentor", after(58), 1), CheckIn("learner", after(20), 5)]
    parts = points(replace(GOOD, check_ins=check_ins))
    assert parts["sentiment"] == (10, True)
    assert parts["check_ins"] == (8, True), "the learner's is more than 30 days old"


@pytest.mark.parametrize(
    ("quiet", "nudged", "due"),
    [(29, 0, None), (30, 0, 30), (31, 30, None), (60, 30, 60), (90, 60, 90), (95, 90, None), (95, 0, 90)],
)
def test_quiet_ones_are_reminded_once_at_each_step(quiet: int, nudged: int, due: int | None) -> None:
    assert due_reminder(quiet, nudged) == due


def test_who_stays_quiet_after_the_last_reminder_is_over() -> None:
    assert [is_abandoned(quiet, 90) for quiet in (90, 96, 97)] == [False, False, True]
    assert not is_abandoned(400, 60), "nobody ends without notice"
    assert (closing_date(START, 60), closing_date(START, 90)) == (None, after(97))


def test_surveys_are_at_thirty_days_and_every_sixty() -> None:
    assert survey_days(29) == []
    assert survey_days(30) == [30]
    assert survey_days(211) == [30, 90, 150, 210]


def test_the_first_goals_are_the_needs_that_the_mentor_can_meet() -> None:
    mentor = replace(MENTOR, levels={FORESIGHT: 4, STRATEGY: 5, FINANCING: 1, PEOPLE: 3})
    targets = {
        FORESIGHT: TargetLevel(5, 5),
        STRATEGY: TargetLevel(3, 5),
        FINANCING: TargetLevel(3, 5),
        PEOPLE: TargetLevel(4, 1),
    }
    learner = replace(LEARNER, levels={FORESIGHT: 1, STRATEGY: 2, FINANCING: 2, PEOPLE: 1}, targets=targets)
    goals = first_goals(mentor, learner, TODAY)
    assert [(goal.skill, goal.level, goal.target) for goal in goals] == [
        (FORESIGHT, 1, 4),
        (STRATEGY, 2, 3),
        (PEOPLE, 1, 3),
    ]
    text = agreement("Ant", "Bee", TEMPLATES[DEFAULT_TEMPLATE], goals)
    assert text.startswith("Ant and Bee work together: a meeting every two weeks for half a year. We work on ")
    assert "governance (from 1 to 3)." in text
    assert "goals at the first meeting" in agreement("Ant", "Bee", TEMPLATES[DEFAULT_TEMPLATE], [])
    assert ends_on(TEMPLATES[DEFAULT_TEMPLATE], TODAY) == TODAY + timedelta(days=182)


@pytest.mark.parametrize(
    ("goals", "share"),
    [
        ([], None),
        ([MeasuredGoal(2, 2, 4)], None),
        ([MeasuredGoal(1, 4, 4)], 100),
        ([MeasuredGoal(1, 4, 0)], 0),
        ([MeasuredGoal(1, 4, 3)], 66),
        ([MeasuredGoal(1, 3, 5), MeasuredGoal(1, 3, 1)], 50),
        ([MeasuredGoal(1, 4, 4), MeasuredGoal(2, 3, 1)], 75),
    ],
)
def test_the_outcome_is_the_share_of_the_wanted_levels(goals: list[MeasuredGoal], share: int | None) -> None:
    assert outcome(goals) == share


STATUS = MentorshipStatus("active", [], GOOD, [], [], 0)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (replace(STATUS, state="agreed", progress=None, unconfirmed=["learner"]), "The learner should read"),
        (replace(STATUS, planned=[TODAY - timedelta(days=1)]), "Say whether the meeting of"),
        (replace(STATUS, unanswered=[30]), "Fill in the survey of day 30."),
        (replace(STATUS, planned=[TODAY]), "Meet on"),
        (STATUS, "Plan the next meeting; it is due on"),
        (replace(STATUS, progress=replace(GOOD, held=[])), "Plan the next meeting; it is due since"),
        (replace(STATUS, state="completed", unmeasured=2), "An assessment of the learner will confirm 2 goals."),
        (replace(STATUS, state="ended"), "Nothing is left to do."),
    ],
)
def test_there_is_always_a_next_step(status: MentorshipStatus, sentence: str) -> None:
    assert next_step(status, TODAY).startswith(sentence)
