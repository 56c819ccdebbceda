"""The outcome of a mentorship, from the assessments after its end."""

from collections.abc import Sequence
from typing import NamedTuple


class MeasuredGoal(NamedTuple):
    """A goal's level at the start, its target, and the level that an assessment after the end measured."""

    level: int
    target: int
    measured: int


def outcome(goals: Sequence[MeasuredGoal]) -> int | None:
    """`100 x sum(gained) / sum(target - level)`, rounded down; each gain is clamped to `[0, target - level]`.

    Returns:
        None without a goal above its level.
    """
    planned = sum(goal.target - goal.level for goal in goals)
    if planned <= 0:
        return None
    gained = sum(min(max(goal.measured - goal.level, 0), goal.target - goal.level) for goal in goals)
    return 100 * gained // planned
