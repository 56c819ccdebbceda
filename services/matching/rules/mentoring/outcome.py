"""What came of a mentorship, once an assessment has measured it."""

from collections.abc import Sequence
from typing import NamedTuple


class MeasuredGoal(NamedTuple):
    """A goal's level at the start, its target, and the level that an assessment after the end has measured."""

    level: int
    target: int
    measured: int


def outcome(goals: Sequence[MeasuredGoal]) -> int | None:
    """The share of the wanted levels that were reached, out of 100; None where none were wanted.

    What was reached beyond a target makes up for nothing elsewhere, and no goal counts less than nothing.
    """
    wanted = sum(goal.target - goal.level for goal in goals)
    if wanted <= 0:
        return None
    return 100 * sum(min(max(goal.measured - goal.level, 0), goal.target - goal.level) for goal in goals) // wanted
