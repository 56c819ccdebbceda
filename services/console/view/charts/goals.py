"""Goals of a mentorship: a bar from the level at the start to the reported level, with a mark at the target."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.api.models.mentorships import Goal
from services.console.view.charts.levels import ROW_HEIGHT


class GoalBar(NamedTuple):
    """One goal. Positions are percent of the scale; `measured` is the level of an assessment after the end."""

    y: int
    title: str
    value: str
    start: float
    reached: float
    target: float
    measured: float | None


class GoalChart(NamedTuple):
    """All goals."""

    id: str
    title: str
    summary: str
    height: int
    bars: list[GoalBar]


def chart(id: str, title: str, scale: int, goals: Sequence[tuple[str, Goal]]) -> GoalChart:
    """The chart of goals with their indicator titles; `id` is unique on the page."""
    bars = [_bar(row, name, goal, scale) for row, (name, goal) in enumerate(goals)]
    reached = sum(goal.reached >= goal.target for _, goal in goals)
    summary = f"{reached} of {len(goals)} goals are reported as reached, on a scale from 0 to {scale}."
    return GoalChart(id, title, summary, len(bars) * ROW_HEIGHT, bars)


def _bar(row: int, name: str, goal: Goal, scale: int) -> GoalBar:
    value = f"from {goal.level}, reached {goal.reached}, target {goal.target}"
    if goal.confirmed is not None:
        value = f"from {goal.level}, confirmed {goal.confirmed}, target {goal.target}"
    start, reached, target = (100 * level / scale for level in (goal.level, max(goal.reached, goal.level), goal.target))
    measured = None if goal.confirmed is None else 100 * goal.confirmed / scale
    return GoalBar(row * ROW_HEIGHT, name, value, start, reached, target, measured)
