"""The health of a mentorship, 0 to 100: parts with points and a sentence, from its meetings, goals and check-ins.

A part without data counts half, and its sentence says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from shared.wording import day

RHYTHM_DAYS = 90
"""Days whose meetings count for the rhythm."""
CHECK_IN_DAYS = 30
"""Days in which each side should check in once."""
MAX_FEELING = 5


class GoalProgress(NamedTuple):
    """The level of a goal at the start, as reported now, and to reach until the due date."""

    level: int
    reached: int
    target: int
    due_on: date


class CheckIn(NamedTuple):
    """How one side feels about the mentorship: 1 (badly) to 5 (very well)."""

    side: str
    on: date
    feeling: int


@dataclass(frozen=True, slots=True)
class MentorshipProgress:
    """A started mentorship: its planned rhythm, the days of held meetings, goals and check-ins."""

    started_on: date
    every_days: int
    held: Sequence[date] = ()
    goals: Sequence[GoalProgress] = ()
    check_ins: Sequence[CheckIn] = ()


class HealthPart(NamedTuple):
    """One part of the health: `points` out of `of`; a part that is not `known` counts half."""

    part: str
    points: int
    of: int
    reason: str
    known: bool = True


def health(progress: MentorshipProgress, today: date) -> list[HealthPart]:
    """The parts of the health; it is the sum of their points."""
    return [
        _first_meeting(progress, today, 20),
        _rhythm(progress, today, 24),
        _goals(progress, today, 20),
        _check_ins(progress, today, 16),
        _sentiment(progress, 20),
    ]


def _unknown(part: str, of: int, reason: str) -> HealthPart:
    return HealthPart(part, of // 2, of, reason, known=False)


def _first_meeting(progress: MentorshipProgress, today: date, of: int) -> HealthPart:
    name = "first_meeting"
    if progress.held:
        return HealthPart(name, of, of, f"They first met on {day(min(progress.held))}.")
    days = (today - progress.started_on).days
    if days <= progress.every_days:
        due = progress.started_on + timedelta(days=progress.every_days)
        return _unknown(name, of, f"The first meeting is due until {day(due)}.")
    return HealthPart(name, 0, of, f"They have not met yet, {days} days after the start.")


def _rhythm(progress: MentorshipProgress, today: date, of: int) -> HealthPart:
    since = max(progress.started_on, today - timedelta(days=RHYTHM_DAYS))
    due = (today - since).days // progress.every_days
    if not due:
        return _unknown("rhythm", of, f"They mean to meet every {progress.every_days} days; the first is not over.")
    held = sum(since <= on <= today for on in progress.held)
    reason = f"They met {_times(held)} since {day(since)}; by their plan it would be {_times(due)}."
    return HealthPart("rhythm", of * min(held, due) // due, of, reason)


def _goals(progress: MentorshipProgress, today: date, of: int) -> HealthPart:
    """Reported levels in proportion to those expected by now, if each goal advanced evenly until its due date."""
    reached, expected, whole = 0, 0, 0
    for goal in progress.goals:
        duration = max((goal.due_on - progress.started_on).days, 1)
        passed = min(max((today - progress.started_on).days, 0), duration)
        steps = max(goal.target - goal.level, 0)
        expected += 100 * steps * passed // duration
        reached += 100 * min(max(goal.reached - goal.level, 0), steps)
        whole += steps
    if not whole:
        return _unknown("goals", of, "No goals are set.")
    if not reached and expected < 100 * whole // 4:
        return _unknown("goals", of, "The goals are young; nothing is expected of them yet.")
    reason = f"{reached // 100} of {whole} levels are reported as reached; by now {_tenths(expected)} are expected."
    return HealthPart("goals", of if reached >= expected else of * reached // expected, of, reason)


def _check_ins(progress: MentorshipProgress, today: date, of: int) -> HealthPart:
    since = today - timedelta(days=CHECK_IN_DAYS)
    sides = {check_in.side for check_in in progress.check_ins if check_in.on > since}
    if not sides and progress.started_on > since:
        return _unknown("check_ins", of, "Nobody has said yet how it goes; there is time.")
    have = {0: "neither side has", 1: f"only the {''.join(sides)} has", 2: "both sides have"}[len(sides)]
    reason = f"In the last {CHECK_IN_DAYS} days {have} said how it goes."
    return HealthPart("check_ins", of * len(sides) // 2, of, reason)


def _sentiment(progress: MentorshipProgress, of: int) -> HealthPart:
    """From the newest check-in of each side."""
    newest = {check_in.side: check_in.feeling for check_in in sorted(progress.check_ins, key=lambda entry: entry.on)}
    if not newest:
        return _unknown("sentiment", of, "Nobody has said yet how it goes.")
    above = sum(newest.values()) - len(newest)
    reason = " and ".join(f"the {side} says {feeling}" for side, feeling in sorted(newest.items()))
    whole = len(newest) * (MAX_FEELING - 1)
    return HealthPart("sentiment", of * above // whole, of, f"Of {MAX_FEELING}, {reason}.")


def _times(count: int) -> str:
    return {0: "not once", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _tenths(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100 // 10}"
