"""The terms of a score as parts of one bar of a hundred points."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from services.console.view import formatting, labels

MAX_SCORE = 10_000
"""In hundredths of a point."""


class ScoreTerm(Protocol):
    """A term of a score, or a part of the health of a mentorship; `hundredths` of a point."""

    @property
    def term(self) -> str: ...
    @property
    def hundredths(self) -> int: ...
    @property
    def reason(self) -> str: ...


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


def chart(id: str, title: str, terms: Sequence[ScoreTerm]) -> TermChart:
    """The chart of one score; `id` is unique on the page."""
    parts, start = [], 0.0
    for number, term in enumerate(terms):
        width = 100 * term.hundredths / MAX_SCORE
        name = labels.SCORE_TERMS.get(term.term, formatting.title(term.term))
        parts.append(TermBar(number % 6 + 1, name, formatting.points(term.hundredths), term.reason, start, width))
        start += width
    summary = ", ".join(f"{part.name} {part.points}" for part in parts)
    return TermChart(id, title, f"{summary}.", parts)
