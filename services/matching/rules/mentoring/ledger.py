"""The ledger: who taught whom which skill, and which gain an assessment confirms.

An assessment measures a level, not its cause. The gain between two assessments is divided among all lines of the same
learner and skill that ended in between, in proportion to their reported gains. The shares are whole hundredths of a
level, and their sum is the measured gain.
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


class Reading(NamedTuple):
    """The level that an assessment measured on a day."""

    on: date
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One cluster taught another one skill, in a mentorship or an activity (`source_id`).

    Attributes:
        by: kind of the source.
        planned: levels that were planned.
        reported: levels that were reported.
        before: the last assessment before the end.
        after: the first assessment after the end.
        confirmed: the line's share of the measured gain, in hundredths of a level; None without both assessments.
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
        """Sort key: lines in the order of their days; unique."""
        return (self.ended_on or self.began_on).isoformat(), self.source_id, self.learner_id, self.skill


LevelHistory = Mapping[tuple[UUID, Skill], Sequence[Reading]]
"""The readings of each cluster and skill, oldest first; at most one a day."""


def confirm_lines(lines: Iterable[LedgerLine], history: LevelHistory) -> list[LedgerLine]:
    """The lines with their assessments and confirmed gains, in order."""
    confirmed, between = [], defaultdict[tuple[UUID, Skill, int], list[LedgerLine]](list)
    for line in lines:
        readings = history.get((line.learner_id, line.skill), ())
        if line.ended_on is None:
            confirmed.append(replace(line, before=readings[-1] if readings else None))
        else:
            index = bisect_left(readings, line.ended_on, key=lambda reading: reading.on)
            between[line.learner_id, line.skill, index].append(line)
    for (learner_id, skill, index), sharing in between.items():
        readings = history.get((learner_id, skill), ())
        before = readings[index - 1] if index else None
        after = readings[index] if index < len(readings) else None
        confirmed += _with_shares(sorted(sharing, key=lambda line: line.order), before, after)
    return sorted(confirmed, key=lambda line: line.order)


def _with_shares(lines: Sequence[LedgerLine], before: Reading | None, after: Reading | None) -> list[LedgerLine]:
    if before is None or after is None:
        return [replace(line, before=before, after=after) for line in lines]
    gained = HUNDREDTHS_PER_LEVEL * max(after.level - before.level, 0)
    parts = shares(gained, [line.reported for line in lines])
    return [replace(line, before=before, after=after, confirmed=part) for line, part in zip(lines, parts, strict=True)]


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """Integer parts of a whole in proportion to weights, or equal if all weights are 0 (largest remainder method)."""
    effective = list(weights) if any(weights) else [1] * len(weights)
    total = sum(effective)
    parts = [whole * weight // total for weight in effective]
    left = whole - sum(parts)
    by_remainder = sorted(range(len(effective)), key=lambda index: (-(whole * effective[index] % total), index))
    for index in by_remainder[:left]:
        parts[index] += 1
    return parts


class DownstreamStep(NamedTuple):
    """A line by which knowledge was passed on, and its distance in lines from the first teacher, from 1."""

    depth: int
    line: LedgerLine


def downstream(lines: Sequence[LedgerLine], cluster_id: UUID) -> list[DownstreamStep]:
    """How the knowledge of a cluster spread: its own lines, then the later lines of its learners in the same skill."""
    steps = [DownstreamStep(1, line) for line in lines if line.teacher_id == cluster_id]
    visited = {line.order for _, line in steps}
    for depth, line in steps:  # the list grows during the loop
        if line.ended_on is None:
            continue
        for other in lines:
            follows = other.teacher_id == line.learner_id and other.skill == line.skill
            if follows and other.began_on >= line.ended_on and other.order not in visited:
                visited.add(other.order)
                steps.append(DownstreamStep(depth + 1, other))
    return steps


class LedgerSide(NamedTuple):
    """What a cluster gave, or took: number of lines, reported levels, and confirmed hundredths of a level."""

    lines: int = 0
    reported: int = 0
    confirmed: int = 0

    def plus(self, line: LedgerLine) -> "LedgerSide":
        """The side with one more line."""
        confirmed = self.confirmed + (line.confirmed or 0)
        return LedgerSide(self.lines + 1, self.reported + line.reported, confirmed)


class Balance(NamedTuple):
    """What a cluster gave and took."""

    cluster_id: UUID
    given: LedgerSide
    taken: LedgerSide


def balances(lines: Iterable[LedgerLine]) -> list[Balance]:
    """The balance of each cluster with a line, in the order of ids."""
    given, taken = defaultdict[UUID, LedgerSide](LedgerSide), defaultdict[UUID, LedgerSide](LedgerSide)
    for line in lines:
        given[line.teacher_id] = given[line.teacher_id].plus(line)
        taken[line.learner_id] = taken[line.learner_id].plus(line)
    return [Balance(id, given[id], taken[id]) for id in sorted(given.keys() | taken.keys())]
