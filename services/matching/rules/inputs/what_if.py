"""A question with something changed, to see what would be: nothing of it is ever true by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import Question, Two
from services.matching.rules.inputs.profile import Aim, Profile, Skill


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is supposed: other criteria, pairs, levels, targets, and clusters that are not there."""

    criteria: Criteria
    forced: tuple[Two, ...] = ()
    forbidden: tuple[Two, ...] = ()
    levels: Mapping[tuple[UUID, Skill], int]
    targets: Mapping[tuple[UUID, Skill], Aim]
    without: frozenset[UUID] = frozenset()

    @property
    def only_the_plan(self) -> bool:
        """Whether all of it is for whoever plans to decide, so that a draft can be made of it."""
        return not self.levels and not self.targets and not self.without

    @property
    def clusters(self) -> set[UUID]:
        """Whom it is about."""
        return {id for id, _ in (*self.levels, *self.targets)} | self.without


def supposed(question: Question, changes: Changes) -> Question:
    """The question as it would be; pairs of clusters that are not there are gone with them."""
    here = [_changed(one, changes) for one in question.clusters if one.id not in changes.without]
    return replace(
        question,
        clusters=tuple(here),
        kept=tuple(two for two in question.kept if not changes.without & set(two)),
        proposed=tuple(two for two in question.proposed if not changes.without & set(two)),
        criteria=changes.criteria,
        forced=changes.forced,
        forbidden=changes.forbidden,
    )


def _changed(cluster: Profile, changes: Changes) -> Profile:
    levels = {skill: level for (id, skill), level in changes.levels.items() if id == cluster.id}
    aims = {skill: aim for (id, skill), aim in changes.targets.items() if id == cluster.id}
    return replace(cluster, levels={**cluster.levels, **levels}, aims={**cluster.aims, **aims})
