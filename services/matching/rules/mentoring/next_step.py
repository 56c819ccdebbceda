"""What two clusters that work together should do next, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.matching.rules.mentoring.health import MentorshipProgress
from shared.wording import counted, day


@dataclass(frozen=True, slots=True)
class MentorshipStatus:
    """Where a mentorship is: who has not confirmed it yet, what is planned, and which surveys nobody has filled in."""

    state: str
    unconfirmed: Sequence[str]
    signs: MentorshipProgress | None
    planned: Sequence[date]
    unanswered: Sequence[int]
    unmeasured: int


def next_step(standing: MentorshipStatus, today: date) -> str:
    """The sentence. `unmeasured` goals wait for an assessment once it is over."""
    if standing.state in {"completed", "ended"}:
        waits = f"An assessment of the learner will confirm {counted(standing.unmeasured, 'goal')}."
        return waits if standing.unmeasured else "Nothing is left to do."
    if standing.signs is None:
        return f"The {' and the '.join(standing.unconfirmed)} should read the agreement and confirm it."
    if overdue := [on for on in standing.planned if on < today]:
        return f"Say whether the meeting of {day(min(overdue))} was held."
    if standing.unanswered:
        return f"Fill in the survey of day {standing.unanswered[0]}."
    if standing.planned:
        return f"Meet on {day(min(standing.planned))}."
    return _plan(standing.signs, today)


def _plan(signs: MentorshipProgress, today: date) -> str:
    due = max([signs.started_on, *signs.held]) + timedelta(days=signs.every_days)
    return f"Plan the next meeting; it is due {'since' if due < today else 'on'} {day(due)}."
