"""When it was taught: a bar for each line of the ledger on one axis of years."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

ROW = 14
"""Pixels of one line."""
LEAST = 0.8
"""Percent that a bar is wide at least, so that two days in ten years are seen."""


class Span(NamedTuple):
    """What is to be shown: from when until when (None: it goes on), and whether anything of it is confirmed."""

    label: str
    began: date
    ended: date | None
    confirmed: bool


class Bar(NamedTuple):
    """A span on the chart; places are percent of the whole."""

    y: int
    label: str
    start: float
    width: float
    confirmed: bool


class Year(NamedTuple):
    """A mark on the axis."""

    name: str
    place: float


class Timeline(NamedTuple):
    """The chart."""

    id: str
    summary: str
    height: int
    bars: list[Bar]
    years: list[Year]


def chart(id: str, spans: Sequence[Span], today: date) -> Timeline:
    """The chart of spans, in their order; what goes on ends today."""
    if not spans:
        return Timeline(id, "Nothing was taught yet.", 0, [], [])
    first = date(min(span.began for span in spans).year, 1, 1)
    last = max([today, *(span.ended or today for span in spans)])
    whole = max((last - first).days, 1)

    def place(day: date) -> float:
        return round(100 * (day - first).days / whole, 2)

    bars = []
    for number, span in enumerate(spans):
        start, end = place(span.began), place(max(span.ended or today, span.began))
        width = max(end - start, LEAST)
        bars.append(Bar(24 + number * ROW, span.label, min(start, 100 - width), width, span.confirmed))
    step = max((last.year - first.year) // 5, 1)
    years = [Year(str(year), place(date(year, 1, 1))) for year in range(first.year, last.year + 1, step)]
    summary = f"{len(spans)} lines from {first.year} to {last.year}."
    return Timeline(id, summary, 24 + len(spans) * ROW, bars, years)
