"""The next step of a mentorship, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.matching.rules.mentoring.health import MentorshipProgress
from shared.wording import counted, day


@dataclass(frozen=True, slots=True)
class MentorshipStatus:
    """What is open in a mentorship.

    Attributes:
        state: of the mentorship.
        unconfirmed: roles that have not confirmed the agreement.
        progress: None before the start.
        planned: days of planned meetings.
        unanswered: days of surveys that are due.
        unmeasured: number of goals without an assessment after the end.
    """

    state: str
    unconfirmed: Sequence[str]
    progress: MentorshipProgress | None
    planned: Sequence[date]
    unanswered: Sequence[int]
    unmeasured: int


def next_step(status: MentorshipStatus, today: date) -> str:
    """The sentence."""
    if status.state in {"completed", "ended"}:
        goals = f"An assessment of the learner will confirm {counted(status.unmeasured, 'goal')}."
        return goals if status.unmeasured else "Nothing is left to do."
    if status.progress is None:
        return f"The {' and the '.join(status.unconfirmed)} should read the agreement and confirm it."
    if overdue := [on for on in status.planned if on < today]:
        return f"Say whether the meeting of {day(min(overdue))} was held."
    if status.unanswered:
        return f"Fill in the survey of day {status.unanswered[0]}."
    if status.planned:
        return f"Meet on {day(min(status.planned))}."
    return _plan_meeting(status.progress, today)


def _plan_meeting(progress: MentorshipProgress, today: date) -> str:
    due = max([progress.started_on, *progress.held]) + timedelta(days=progress.every_days)
    return f"Plan the next meeting; it is due {'since' if due < today else 'on'} {day(due)}."
