"""The profile of a cluster: what matching compares."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID


class Skill(NamedTuple):
    """An indicator of an assessment framework."""

    framework: str
    indicator: str

    @property
    def text(self) -> str:
        """The indicator as words of a sentence."""
        return self.indicator.replace("-", " ").replace("_", " ")


class TargetLevel(NamedTuple):
    """The level that a cluster wants to reach, and its priority (1 to 5)."""

    level: int
    priority: int


class MeasuredLevel(NamedTuple):
    """A level, the day of the assessment, and the end of its scale."""

    level: int
    on: date
    scale_max: int


class TrainingGain(NamedTuple):
    """Levels that a training, which ended on a day, added to a skill."""

    skill: Skill
    levels: int
    ended_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A cluster with its skills, slots and past mentorships.

    Attributes:
        levels: include provisional gains.
        requests: urgency of the open service requests.
        record: outcomes of ended mentorships as mentor, out of 100, the newest last.
        given: number of mentorships as mentor so far.
        taken: number of mentorships as learner so far.
    """

    id: UUID
    name: str
    country: str
    languages: frozenset[str]
    ecosystems: frozenset[str]
    stages: frozenset[str]
    levels: Mapping[Skill, int] = field(default_factory=dict)
    targets: Mapping[Skill, TargetLevel] = field(default_factory=dict)
    requests: Mapping[Skill, int] = field(default_factory=dict)
    label: str = "none"
    mentor_slots: int = 0
    learner_slots: int = 0
    record: tuple[int, ...] = ()
    given: int = 0
    taken: int = 0

    @property
    def gaps(self) -> dict[Skill, tuple[int, int]]:
        """Skills in which the cluster is below its target: gap in levels and priority."""
        gaps = {skill: target.level - self.levels.get(skill, 0) for skill, target in self.targets.items()}
        return {skill: (gap, self.targets[skill].priority) for skill, gap in gaps.items() if gap > 0}


def provisional_levels(levels: Mapping[Skill, MeasuredLevel], gains: Iterable[TrainingGain]) -> dict[Skill, int]:
    """Levels plus the gains of trainings that ended after the assessment, up to the end of the scale."""
    provisional = {skill: measured.level for skill, measured in levels.items()}
    for gain in gains:
        measured = levels.get(gain.skill)
        if measured is not None and gain.ended_on > measured.on:
            provisional[gain.skill] = min(measured.scale_max, provisional[gain.skill] + gain.levels)
    return provisional


def provisional_levels_by_cluster(
    levels: Iterable[tuple[UUID, Skill, MeasuredLevel]], gains: Iterable[tuple[UUID, TrainingGain]]
) -> dict[UUID, dict[Skill, int]]:
    """The provisional levels of several clusters, by cluster id."""
    measured_of = defaultdict[UUID, dict[Skill, MeasuredLevel]](dict)
    gains_of = defaultdict[UUID, list[TrainingGain]](list)
    for id, skill, measured in levels:
        measured_of[id][skill] = measured
    for id, gain in gains:
        gains_of[id].append(gain)
    return {id: provisional_levels(measured, gains_of[id]) for id, measured in measured_of.items()}
