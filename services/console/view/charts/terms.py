"""The terms of a score as parts of one bar of a hundred points."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.api.models import Term
from services.console.view import formatting, labels

MAX_SCORE = 10_000
"""In hundredths of a point."""


class TermBar(NamedTuple):
    """One term: start and width in percent, points and reason. `shade` is its colour, 1 to 6."""

    shade: int
    name: str
    points: str
    reason: str
    start: float
    width: float


class TermChart(NamedTuple):
    """The chart."""

    id: str
    title: str
    summary: str
    parts: list[TermBar]


def chart(id: str, title: str, terms: Sequence[Term]) -> TermChart:
    """The chart of one score; `id` is unique on the page."""
    parts, start = [], 0.0
    for number, term in enumerate(terms):
        width = 100 * term.hundredths / MAX_SCORE
        name = labels.SCORE_TERMS.get(term.term, formatting.title(term.term))
        parts.append(TermBar(number % 6 + 1, name, formatting.points(term.hundredths), term.reason, start, width))
        start += width
    summary = ", ".join(f"{part.name} {part.points}" for part in parts)
    return TermChart(id, title, f"{summary}.", parts)
