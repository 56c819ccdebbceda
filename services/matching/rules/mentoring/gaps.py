"""From a gap to a new level: what clusters want to reach, what was done about it, and where they are now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.matching.rules.inputs.profile import Skill, TargetLevel
from services.matching.rules.mentoring.ledger import LedgerLine, LevelHistory, Reading


@dataclass(frozen=True, slots=True)
class Gap:
    """A skill that a cluster wants to reach a level in, and all that was done about it.

    `first` is the first assessment; `level` is what the newest one says, `provisional` with what was reported since.
    """

    cluster_id: UUID
    skill: Skill
    aim: TargetLevel
    first: Reading | None
    level: int
    provisional: int
    done: Sequence[LedgerLine]

    @property
    def gap(self) -> int:
        """Levels that are missing, if what was reported is so."""
        return max(self.aim.level - self.provisional, 0)


def trace_gaps(
    targets: Mapping[UUID, Mapping[Skill, TargetLevel]],
    history: LevelHistory,
    provisional: Mapping[UUID, Mapping[Skill, int]],
    lines: Iterable[LedgerLine],
) -> list[Gap]:
    """One for each aim, in the order of clusters and skills."""
    done = defaultdict[tuple[UUID, Skill], list[LedgerLine]](list)
    for line in lines:
        done[line.learner_id, line.skill].append(line)
    return [
        _need(cluster_id, skill, aim, history, provisional.get(cluster_id, {}), done[cluster_id, skill])
        for cluster_id, wanted in sorted(targets.items())
        for skill, aim in sorted(wanted.items())
    ]


def _need(
    cluster_id: UUID,
    skill: Skill,
    aim: TargetLevel,
    history: LevelHistory,
    levels: Mapping[Skill, int],
    done: Sequence[LedgerLine],
) -> Gap:
    readings = history.get((cluster_id, skill), ())
    level = readings[-1].level if readings else 0
    return Gap(cluster_id, skill, aim, readings[0] if readings else None, level, levels.get(skill, level), done)
