"""What matching knows of a cluster when it compares it with another."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID


class Skill(NamedTuple):
    """An indicator of a framework."""

    framework: str
    indicator: str

    @property
    def text(self) -> str:
        """The indicator in words."""
        return self.indicator.replace("-", " ").replace("_", " ")


class TargetLevel(NamedTuple):
    """The level a cluster wants to reach, and how much that matters: priority 1 to 5."""

    level: int
    priority: int


class MeasuredLevel(NamedTuple):
    """A level, the day it was measured, and the end of its scale."""

    level: int
    on: date
    top: int


class TrainingGain(NamedTuple):
    """What a training that ended on a day added to a skill."""

    skill: Skill
    levels: int
    ended_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A cluster as matching sees it.

    `levels` count gains in that no assessment has confirmed yet. `record` are the outcomes of mentorships that it has
    ended as mentor, out of 100, the newest last; `given` and `taken` count mentorships on either side so far.
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
    def needs(self) -> dict[Skill, tuple[int, int]]:
        """Skills in which the cluster is below its target: (gap in levels, priority)."""
        gaps = {skill: aim.level - self.levels.get(skill, 0) for skill, aim in self.targets.items()}
        return {skill: (gap, self.targets[skill].priority) for skill, gap in gaps.items() if gap > 0}


def provisional_levels(levels: Mapping[Skill, MeasuredLevel], gains: Iterable[TrainingGain]) -> dict[Skill, int]:
    """Levels with the gains of trainings that ended after the level was measured, up to the end of the scale."""
    counted = {skill: measured.level for skill, measured in levels.items()}
    for gain in gains:
        measured = levels.get(gain.skill)
        if measured is not None and gain.ended_on > measured.on:
            counted[gain.skill] = min(measured.top, counted[gain.skill] + gain.levels)
    return counted


def provisional_levels_by_cluster(
    levels: Iterable[tuple[UUID, Skill, MeasuredLevel]], gains: Iterable[tuple[UUID, TrainingGain]]
) -> dict[UUID, dict[Skill, int]]:
    """The same for several clusters, by their ids."""
    measured, gained = defaultdict[UUID, dict[Skill, MeasuredLevel]](dict), defaultdict[UUID, list[TrainingGain]](list)
    for id, skill, known in levels:
        measured[id][skill] = known
    for id, gain in gains:
        gained[id].append(gain)
    return {id: provisional_levels(known, gained[id]) for id, known in measured.items()}
