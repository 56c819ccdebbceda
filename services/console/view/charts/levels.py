"""Levels against targets: a bar for each indicator, with a mark at the target."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.api.models.members import IndicatorStatus

ROW_HEIGHT = 56
"""Pixels of one indicator: its name, its bar and the space to the next."""


class LevelBar(NamedTuple):
    """One indicator. Widths and positions are percent of the scale."""

    y: int
    title: str
    value: str
    level: float
    target: float | None


class LevelChart(NamedTuple):
    """A framework's bars."""

    id: str
    title: str
    summary: str
    height: int
    ticks: list[float]
    bars: list[LevelBar]


def gap(status: IndicatorStatus) -> int:
    """Target minus level, at least 0; an unknown one counts as 0."""
    return max(0, (status.target or 0) - (status.level or 0))


def chart(id: str, title: str, scale: int, statuses: Sequence[tuple[str, IndicatorStatus]]) -> LevelChart:
    """The chart of one framework.

    Args:
        id: unique on the page.
        title: of the chart.
        scale: the highest level.
        statuses: title of each indicator, and its status.
    """
    bars = [_bar(row, name, status, scale) for row, (name, status) in enumerate(statuses)]
    reached = sum(1 for _, status in statuses if status.target is not None and gap(status) == 0)
    aimed = sum(1 for _, status in statuses if status.target is not None)
    summary = f"{len(bars)} indicators on a scale from 0 to {scale}. {reached} of {aimed} targets are reached."
    ticks = [100 * step / scale for step in range(scale + 1)] if scale <= 10 else [0.0, 50.0, 100.0]  # noqa: PLR2004
    return LevelChart(id, title, summary, len(bars) * ROW_HEIGHT, ticks, bars)


def _bar(row: int, name: str, status: IndicatorStatus, scale: int) -> LevelBar:
    level = "not assessed" if status.level is None else str(status.level)
    value = level if status.target is None else f"{level}, target {status.target}"
    target = None if status.target is None else 100 * status.target / scale
    return LevelBar(row * ROW_HEIGHT, name, value, 100 * (status.level or 0) / scale, target)
