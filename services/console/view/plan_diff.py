"""Differences between two plans as text: which learners gain or lose, which pairs are added or removed."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from services.console.view.truncation import Truncated, truncate

ClusterName = Callable[[UUID], str]


class LearnerChange(NamedTuple):
    """How many points a learner gains or loses."""

    name: str
    points: str
    gains: bool


class LearnerChanges(NamedTuple):
    """The learners who gain most and who lose most, and how many do either."""

    lines: Truncated[LearnerChange]
    gain: int
    lose: int


def learner_changes(hundredths: Mapping[UUID, int], cluster_name: ClusterName) -> LearnerChanges:
    """The changes by learner, the greatest gain first; learners without a change are left out."""
    ranked = sorted(((id, change) for id, change in hundredths.items() if change), key=lambda item: (-item[1], item[0]))
    lines = [LearnerChange(cluster_name(id), f"{change / 100:+.1f}", change > 0) for id, change in ranked]
    gain = sum(line.gains for line in lines)
    return LearnerChanges(truncate(lines, both_ends=True), gain, len(lines) - gain)


def pair_sentences(pairs: Iterable[tuple[UUID, UUID]], cluster_name: ClusterName) -> Truncated[str]:
    """A sentence for each (mentor, learner) pair, sorted by the learner's name."""
    names = sorted((cluster_name(learner), cluster_name(mentor)) for mentor, learner in pairs)
    return truncate([f"{mentor} teaches {learner}" for learner, mentor in names])


class FigureRow(NamedTuple):
    """A figure of both plans."""

    name: str
    before: str
    after: str
