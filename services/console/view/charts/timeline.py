"""A bar for each entry of the ledger on an axis of years."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

ROW_HEIGHT = 14
"""Pixels of one entry."""
MIN_WIDTH = 0.8
"""Percent; keeps two days in ten years visible."""


class Span(NamedTuple):
    """The dates of an entry, with `ended` None while it is active, and whether any gain is confirmed."""

    label: str
    began: date
    ended: date | None
    confirmed: bool


class TimelineBar(NamedTuple):
    """A span on the chart; positions are percent of the width."""

    y: int
    label: str
    start: float
    width: float
    confirmed: bool


class Year(NamedTuple):
    """A mark on the axis."""

    name: str
    x: float


class Timeline(NamedTuple):
    """The chart."""

    id: str
    summary: str
    height: int
    bars: list[TimelineBar]
    years: list[Year]


def chart(id: str, spans: Sequence[Span], today: date) -> Timeline:
    """The chart of spans in the given order; active ones end today."""
    if not spans:
        return Timeline(id, "Nothing was taught yet.", 0, [], [])
    first = date(min(span.began for span in spans).year, 1, 1)
    last = max([today, *(span.ended or today for span in spans)])
    total_days = max((last - first).days, 1)

    def x(day: date) -> float:
        return round(100 * (day - first).days / total_days, 2)

    bars = []
    for number, span in enumerate(spans):
        start, end = x(span.began), x(max(span.ended or today, span.began))
        width = max(end - start, MIN_WIDTH)
        bars.append(TimelineBar(24 + number * ROW_HEIGHT, span.label, min(start, 100 - width), width, span.confirmed))
    step = max((last.year - first.year) // 5, 1)
    years = [Year(str(year), x(date(year, 1, 1))) for year in range(first.year, last.year + 1, step)]
    summary = f"{len(spans)} lines from {first.year} to {last.year}."
    return Timeline(id, summary, 24 + len(spans) * ROW_HEIGHT, bars, years)
