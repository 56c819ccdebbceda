"""Vectorised representations of score terms and exclusion rules.

Most depend only on the categories of mentor and learner, and there are few categories.
"""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from services.matching.rules.scoring.features import BoolArray, Categories, Int64Array, Steps


class Share(NamedTuple):
    """A part of a whole, for one pair; a share that is not `known` counts half."""

    part: int
    whole: int = 1
    known: bool = True


class CategoryTerm(NamedTuple):
    """A share for each pair of categories, mentors by learners; axes of length 1 are broadcast."""

    mentors: Categories
    learners: Categories
    part: NDArray[Any]
    whole: NDArray[Any] | int = 1
    known: BoolArray | None = None

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair, by row numbers."""
        categories = int(self.mentors.category_of[mentor]), int(self.learners.category_of[learner])
        known = self.known is None or bool(_cell(self.known, categories))
        return Share(_cell(self.part, categories), _cell(self.whole, categories), known)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of categories of mentors and of learners."""
        return len(self.mentors.values), len(self.learners.values)


class GapTerm(NamedTuple):
    """The sum of a learner's weights over the steps that the mentor has reached; `whole` and `known` are by learner."""

    reached: Steps
    weights: Steps
    whole: Int64Array
    known: BoolArray

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair, by row numbers."""
        part = int(self.reached[mentor] @ self.weights[learner])
        return Share(part, int(self.whole[learner]), bool(self.known[learner]))


class NoGapTerm(NamedTuple):
    """1 for pairs in which the mentor has reached no step with a weight of the learner, in any of `weights`; else 0."""

    reached: Steps
    weights: tuple[Steps, ...]

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair, by row numbers."""
        return Share(int(not any(self.reached[mentor] @ weights[learner] for weights in self.weights)))


class PairListTerm(NamedTuple):
    """`listed` (0 or 1) for the pairs in the list, by row numbers, and the opposite for all others."""

    pairs: frozenset[tuple[int, int]]
    listed: int

    def at(self, mentor: int, learner: int) -> Share:
        """The share of a pair, by row numbers."""
        return Share(self.listed if (mentor, learner) in self.pairs else 1 - self.listed)


TermShape = CategoryTerm | GapTerm | NoGapTerm | PairListTerm


def _cell(values: NDArray[Any] | int, categories: tuple[int, int]) -> int:
    if isinstance(values, int):
        return values
    rows, columns = values.shape
    return int(values[categories[0] if rows > 1 else 0, categories[1] if columns > 1 else 0])
