"""The outcome of a mentorship, from the assessments after its end."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.errors import Invalid


class MeasuredGoal(NamedTuple):
    """A goal's level at the start, its target, and the level that an assessment after the end measured."""

    level: int
    target: int
    measured: int


def check_on_scale(level: int, scale_end: int | None, field: str) -> None:
    """Refuse a level above the end of its scale, if that is known.

    Raises:
        Invalid
    """
    if scale_end is not None and level > scale_end:
        raise Invalid("off-scale", f"{level} is over the scale's end, {scale_end}.", field=field)


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
