"""In which forms terms and rules say what they give to each pair, so that all pairs can be added up quickly.

Most depend only on what kind of mentor and what kind of learner there is, and there are few kinds.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.scoring.features import BoolArray, Categories, Int64Array

Steps = NDArray[np.float32]


class Share(NamedTuple):
    """A part of a whole, for one pair; where it is not `known`, half of it."""

    part: int
    whole: int = 1
    known: bool = True


class CategoryTerm(NamedTuple):
    """A part of a whole for each two kinds, mentors by learners; what is alike for all on a side is there once."""

    mentors: Categories
    learners: Categories
    part: NDArray[Any]
    whole: NDArray[Any] | int = 1
    known: BoolArray | None = None

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair."""
        kinds = int(self.mentors.of[mentor]), int(self.learners.of[learner])
        known = self.known is None or bool(_cell(self.known, kinds))
        return Share(_cell(self.part, kinds), _cell(self.whole, kinds), known)

    @property
    def shape(self) -> tuple[int, int]:
        """How many kinds there are."""
        return len(self.mentors.each), len(self.learners.each)


class GapTerm(NamedTuple):
    """The steps that a mentor is above, times what the learner gives for them, of a whole by learner."""

    above: Steps
    wants: Steps
    whole: Int64Array
    known: BoolArray

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair."""
        part = int(self.above[mentor] @ self.wants[learner])
        return Share(part, int(self.whole[learner]), bool(self.known[learner]))


class NoGapTerm(NamedTuple):
    """All for pairs in which the mentor is above no step that the learner wants, in any way; nothing for others."""

    above: Steps
    wants: tuple[Steps, ...]

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair."""
        return Share(int(not any(self.above[mentor] @ wants[learner] for wants in self.wants)))


class PairListTerm(NamedTuple):
    """For some pairs (by the numbers of both) all or nothing, as `listed` says; the opposite for others."""

    pairs: frozenset[tuple[int, int]]
    listed: int

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair."""
        return Share(self.listed if (mentor, learner) in self.pairs else 1 - self.listed)


TermShape = CategoryTerm | GapTerm | NoGapTerm | PairListTerm


def _cell(values: NDArray[Any] | int, kinds: tuple[int, int]) -> int:
    if isinstance(values, int):
        return values
    rows, columns = values.shape
    return int(values[kinds[0] if rows > 1 else 0, kinds[1] if columns > 1 else 0])
