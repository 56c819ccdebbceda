"""How well a mentorship does, from 0 to 100, by signs of the work itself: each part with its points and a sentence.

A part of which nothing can be said yet counts half, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from shared.wording import day

RHYTHM_DAYS = 90
"""Days of which meetings are counted for the rhythm."""
CHECK_IN_DAYS = 30
"""Days in which each side should have checked in once."""
MAX_FEELING = 5


class GoalProgress(NamedTuple):
    """How far a goal is: the level it began at, the one reported, the target, and when it is due."""

    level: int
    reached: int
    target: int
    due_on: date


class CheckIn(NamedTuple):
    """What one side said of how it goes: 1 (badly) to 5 (very well)."""

    side: str
    on: date
    feeling: int


@dataclass(frozen=True, slots=True)
class MentorshipProgress:
    """What there is to see of a mentorship that has started: days of meetings that were held, goals, check-ins."""

    started_on: date
    every_days: int
    held: Sequence[date] = ()
    goals: Sequence[GoalProgress] = ()
    check_ins: Sequence[CheckIn] = ()


class HealthPart(NamedTuple):
    """One part of the health: `points` of the most it can give, `of`; where it is not `known` it counts half."""

    part: str
    points: int
    of: int
    reason: str
    known: bool = True


def health(signs: MentorshipProgress, today: date) -> list[HealthPart]:
    """The parts; their points add up to the health."""
    return [
        _first_meeting(signs, today, 20),
        _rhythm(signs, today, 24),
        _goals(signs, today, 20),
        _check_ins(signs, today, 16),
        _sentiment(signs, 20),
    ]


def _unknown(part: str, of: int, reason: str) -> HealthPart:
    return HealthPart(part, of // 2, of, reason, known=False)


def _first_meeting(signs: MentorshipProgress, today: date, of: int) -> HealthPart:
    name = "first_meeting"
    if signs.held:
        return HealthPart(name, of, of, f"They first met on {day(min(signs.held))}.")
    days = (today - signs.started_on).days
    if days <= signs.every_days:
        return _unknown(name, of, f"The first meeting is due until {day(_due(signs, 1))}.")
    return HealthPart(name, 0, of, f"They have not met yet, {days} days after the start.")


def _rhythm(signs: MentorshipProgress, today: date, of: int) -> HealthPart:
    since = max(signs.started_on, today - timedelta(days=RHYTHM_DAYS))
    due = (today - since).days // signs.every_days
    if not due:
        return _unknown("rhythm", of, f"They mean to meet every {signs.every_days} days; the first is not over.")
    held = sum(since <= on <= today for on in signs.held)
    reason = f"They met {_times(held)} since {day(since)}; by their plan it would be {_times(due)}."
    return HealthPart("rhythm", of * min(held, due) // due, of, reason)


def _goals(signs: MentorshipProgress, today: date, of: int) -> HealthPart:
    """Levels reported, against those that would be there by now if each goal moved evenly until its day."""
    reached, expected, whole = 0, 0, 0
    for goal in signs.goals:
        lasts = max((goal.due_on - signs.started_on).days, 1)
        passed = min(max((today - signs.started_on).days, 0), lasts)
        steps = max(goal.target - goal.level, 0)
        expected += 100 * steps * passed // lasts
        reached += 100 * min(max(goal.reached - goal.level, 0), steps)
        whole += steps
    if not whole:
        return _unknown("goals", of, "No goals are set.")
    if not reached and expected < 100 * whole // 4:
        return _unknown("goals", of, "The goals are young; nothing is expected of them yet.")
    reason = f"{reached // 100} of {whole} levels are reported as reached; by now {_tenths(expected)} are expected."
    return HealthPart("goals", of if reached >= expected else of * reached // expected, of, reason)


def _check_ins(signs: MentorshipProgress, today: date, of: int) -> HealthPart:
    since = today - timedelta(days=CHECK_IN_DAYS)
    sides = {one.side for one in signs.check_ins if one.on > since}
    if not sides and signs.started_on > since:
        return _unknown("check_ins", of, "Nobody has said yet how it goes; there is time.")
    said = {0: "neither side has", 1: f"only the {''.join(sides)} has", 2: "both sides have"}[len(sides)]
    return HealthPart(
        "check_ins", of * len(sides) // 2, of, f"In the last {CHECK_IN_DAYS} days {said} said how it goes."
    )


def _sentiment(signs: MentorshipProgress, of: int) -> HealthPart:
    """The newest word of each side."""
    newest = {one.side: one.feeling for one in sorted(signs.check_ins, key=lambda one: one.on)}
    if not newest:
        return _unknown("sentiment", of, "Nobody has said yet how it goes.")
    above = sum(newest.values()) - len(newest)
    reason = " and ".join(f"the {side} says {feeling}" for side, feeling in sorted(newest.items()))
    whole = len(newest) * (MAX_FEELING - 1)
    return HealthPart("sentiment", of * above // whole, of, f"Of {MAX_FEELING}, {reason}.")


def _due(signs: MentorshipProgress, meeting: int) -> date:
    return signs.started_on + timedelta(days=meeting * signs.every_days)


def _times(count: int) -> str:
    return {0: "not once", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _tenths(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100 // 10}"
