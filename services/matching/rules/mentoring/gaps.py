"""Gaps: the target of each cluster and skill, what was done about it, and the level now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.matching.rules.inputs.profile import Skill, TargetLevel
from services.matching.rules.mentoring.ledger import LedgerLine, LevelHistory, Reading


@dataclass(frozen=True, slots=True)
class Gap:
    """A target of a cluster, with the ledger lines in which it learned the skill.

    Attributes:
        cluster_id: the cluster.
        skill: the skill.
        target: the level to reach, and its priority.
        first: the first assessment; None if there is none.
        level: of the newest assessment.
        provisional: the level with gains that no assessment confirms yet.
        lines: of the ledger.
    """

    cluster_id: UUID
    skill: Skill
    target: TargetLevel
    first: Reading | None
    level: int
    provisional: int
    lines: Sequence[LedgerLine]

    @property
    def missing(self) -> int:
        """Levels from the provisional level to the target, at least 0."""
        return max(self.target.level - self.provisional, 0)


def trace_gaps(
    targets: Mapping[UUID, Mapping[Skill, TargetLevel]],
    history: LevelHistory,
    provisional: Mapping[UUID, Mapping[Skill, int]],
    lines: Iterable[LedgerLine],
) -> list[Gap]:
    """The gap of each target, in the order of clusters and skills."""
    lines_of = defaultdict[tuple[UUID, Skill], list[LedgerLine]](list)
    for line in lines:
        lines_of[line.learner_id, line.skill].append(line)
    return [
        _gap(cluster_id, skill, target, history, provisional.get(cluster_id, {}), lines_of[cluster_id, skill])
        for cluster_id, by_skill in sorted(targets.items())
        for skill, target in sorted(by_skill.items())
    ]


def _gap(
    cluster_id: UUID,
    skill: Skill,
    target: TargetLevel,
    history: LevelHistory,
    provisional: Mapping[Skill, int],
    lines: Sequence[LedgerLine],
) -> Gap:
    readings = history.get((cluster_id, skill), ())
    level = readings[-1].level if readings else 0
    first = readings[0] if readings else None
    return Gap(cluster_id, skill, target, first, level, provisional.get(skill, level), lines)
