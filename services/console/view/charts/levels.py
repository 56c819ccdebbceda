"""Levels against targets: a bar for each indicator, and a mark where the cluster wants to be."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.api.models import Standing

ROW = 56
"""Pixels of one indicator: its name, its bar and the space to the next."""


class Bar(NamedTuple):
    """One indicator. Widths and places are percent of the whole."""

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
    bars: list[Bar]


def chart(id: str, title: str, scale: int, standings: Sequence[tuple[str, Standing]]) -> LevelChart:
    """The chart of one framework.

    Args:
        id: unique on the page.
        title: what it shows.
        scale: the highest level.
        standings: indicator in words, and where the cluster stands in it.
    """
    bars = [_bar(row, name, standing, scale) for row, (name, standing) in enumerate(standings)]
    reached = sum(1 for _, one in standings if one.target is not None and one.gap == 0)
    aimed = sum(1 for _, one in standings if one.target is not None)
    summary = f"{len(bars)} indicators on a scale from 0 to {scale}. {reached} of {aimed} targets are reached."
    ticks = [100 * step / scale for step in range(scale + 1)] if scale <= 10 else [0.0, 50.0, 100.0]  # noqa: PLR2004
    return LevelChart(id, title, summary, len(bars) * ROW, ticks, bars)


def _bar(row: int, name: str, one: Standing, scale: int) -> Bar:
    level = "not assessed" if one.level is None else str(one.level)
    value = level if one.target is None else f"{level}, target {one.target}"
    target = None if one.target is None else 100 * one.target / scale
    return Bar(row * ROW, name, value, 100 * (one.level or 0) / scale, target)
