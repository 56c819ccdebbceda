"""What a pair's score is made of: one bar of a hundred points, cut into its terms."""

from collections.abc import Sequence
from typing import NamedTuple

from services.console.api.models import Term
from services.console.view import labels

WHOLE = 10_000
"""Hundredths of a point in a full score."""


class Part(NamedTuple):
    """One term: where it begins and how wide it is, in percent, and what it says. `shade` is its colour, 1 to 6."""

    shade: int
    name: str
    points: str
    reason: str
    start: float
    width: float


class TermChart(NamedTuple):
    """A score's parts."""

    id: str
    title: str
    summary: str
    parts: list[Part]


def chart(id: str, title: str, terms: Sequence[Term]) -> TermChart:
    """The chart of one score; `id` is unique on the page."""
    parts, start = [], 0.0
    for number, term in enumerate(terms):
        width = 100 * term.hundredths / WHOLE
        name = labels.TERMS.get(term.term, labels.tidy(term.term))
        parts.append(Part(number % 6 + 1, name, labels.points(term.hundredths), term.reason, start, width))
        start += width
    summary = ", ".join(f"{part.name} {part.points}" for part in parts)
    return TermChart(id, title, f"{summary}.", parts)
