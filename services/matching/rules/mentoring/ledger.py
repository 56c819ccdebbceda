"""Who taught whom what, and what an assessment confirms of it.

An assessment measures a level, not who raised it. What a learner gained between two assessments is shared among all
that taught it the same in between, by what each reported; the shares, whole hundredths of a level, add up to what was
measured.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.matching.rules.inputs.profile import Skill

HUNDREDTHS_PER_LEVEL = 100
"""Hundredths in a level."""


class Reading(NamedTuple):
    """A level as an assessment of a day measured it."""

    on: date
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """A line of the ledger: one cluster taught another one skill, by a mentorship or an activity (`source_id`).

    `planned` and `reported` are levels; `before` and `after` what assessments around its end measured, and `confirmed`
    its share of the difference, in hundredths of a level: None until there is such an assessment.
    """

    source_id: UUID
    by: str
    state: str
    teacher_id: UUID
    learner_id: UUID
    skill: Skill
    began_on: date
    ended_on: date | None
    planned: int
    reported: int
    before: Reading | None = None
    after: Reading | None = None
    confirmed: int | None = None

    @property
    def order(self) -> tuple[str, UUID, UUID, Skill]:
        """Lines in the order of their days."""
        return (self.ended_on or self.began_on).isoformat(), self.source_id, self.learner_id, self.skill


LevelHistory = Mapping[tuple[UUID, Skill], Sequence[Reading]]
"""What a cluster could in a skill, by the days of its assessments, oldest first; one reading a day."""


def confirm_lines(taught: Iterable[LedgerLine], history: LevelHistory) -> list[LedgerLine]:
    """The lines with what is confirmed of each, in order."""
    lines, between = [], defaultdict[tuple[UUID, Skill, int], list[LedgerLine]](list)
    for line in taught:
        readings = history.get((line.learner_id, line.skill), ())
        if line.ended_on is None:
            lines.append(replace(line, before=readings[-1] if readings else None))
        else:
            place = bisect_left(readings, line.ended_on, key=lambda one: one.on)
            between[line.learner_id, line.skill, place].append(line)
    for (learner_id, skill, place), shared in between.items():
        readings = history.get((learner_id, skill), ())
        before = readings[place - 1] if place else None
        after = readings[place] if place < len(readings) else None
        lines += _confirmed(sorted(shared, key=lambda line: line.order), before, after)
    return sorted(lines, key=lambda line: line.order)


def _confirmed(shared: Sequence[LedgerLine], before: Reading | None, after: Reading | None) -> list[LedgerLine]:
    if before is None or after is None:
        return [replace(line, before=before, after=after) for line in shared]
    gained = HUNDREDTHS_PER_LEVEL * max(after.level - before.level, 0)
    parts = shares(gained, [line.reported for line in shared])
    return [replace(line, before=before, after=after, confirmed=part) for line, part in zip(shared, parts, strict=True)]


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts by weights, equal ones if all are zero; what does not divide goes to the first."""
    given = list(weights) if any(weights) else [1] * len(weights)
    total = sum(given)
    parts = [whole * weight // total for weight in given]
    left = whole - sum(parts)
    by_rest = sorted(range(len(given)), key=lambda place: (-(whole * given[place] % total), place))
    for place in by_rest[:left]:
        parts[place] += 1
    return parts


class DownstreamStep(NamedTuple):
    """A line by which knowledge went on, and over how many lines it came there: 1 is the first."""

    depth: int
    line: LedgerLine


def downstream(lines: Sequence[LedgerLine], cluster_id: UUID) -> list[DownstreamStep]:
    """Where knowledge of a cluster went: whom it taught a skill, whom those taught the same after that, and so on."""
    found: list[DownstreamStep] = [DownstreamStep(1, line) for line in lines if line.teacher_id == cluster_id]
    seen = {line.order for _, line in found}
    for depth, line in found:  # the list grows while it is walked
        if line.ended_on is None:
            continue
        for other in lines:
            follows = other.teacher_id == line.learner_id and other.skill == line.skill
            if follows and other.began_on >= line.ended_on and other.order not in seen:
                seen.add(other.order)
                found.append(DownstreamStep(depth + 1, other))
    return found


class LedgerSide(NamedTuple):
    """What a cluster gave, or took: lines, levels as reported, and hundredths of a level that are confirmed."""

    lines: int = 0
    reported: int = 0
    confirmed: int = 0


class Balance(NamedTuple):
    """A cluster's giving and taking."""

    cluster_id: UUID
    given: LedgerSide
    taken: LedgerSide


def balances(lines: Iterable[LedgerLine]) -> list[Balance]:
    """The balance of each cluster that gave or took, in the order of their ids."""
    given, taken = defaultdict[UUID, LedgerSide](LedgerSide), defaultdict[UUID, LedgerSide](LedgerSide)
    for line in lines:
        for side, cluster_id in ((given, line.teacher_id), (taken, line.learner_id)):
            one = side[cluster_id]
            side[cluster_id] = LedgerSide(
                one.lines + 1, one.reported + line.reported, one.confirmed + (line.confirmed or 0)
            )
    return [Balance(id, given[id], taken[id]) for id in sorted(given.keys() | taken.keys())]
