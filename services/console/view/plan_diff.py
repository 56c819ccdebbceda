"""What one plan brings beside another, as people read it: who gains and loses, which pairs come and go."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from services.console.request.page_context import Visit
from services.console.view.truncation import Cut, cut


class Change(NamedTuple):
    """What it brings a learner, in points."""

    name: str
    points: str
    gains: bool


class Changes(NamedTuple):
    """Who gains most and who loses most, and how many do either."""

    lines: Cut[Change]
    gain: int
    lose: int


def changes(visit: Visit, points: Mapping[UUID, int]) -> Changes:
    """Learners by what it brings them, in hundredths of a point; who neither gains nor loses is left out."""
    ranked = sorted(((id, more) for id, more in points.items() if more), key=lambda one: (-one[1], one[0]))
    lines = [Change(visit.name(id), f"{more / 100:+.1f}", more > 0) for id, more in ranked]
    gain = sum(line.gains for line in lines)
    return Changes(cut(lines, both_ends=True), gain, len(lines) - gain)


def pairs(visit: Visit, twos: Iterable[tuple[UUID, UUID]]) -> Cut[str]:
    """Mentors and learners in words, in the order of the learners' names."""
    named = sorted((visit.name(learner), visit.name(mentor)) for mentor, learner in twos)
    return cut([f"{mentor} teaches {learner}" for learner, mentor in named])
