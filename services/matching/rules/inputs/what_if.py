"""A question with something changed, to see what would be: nothing of it is ever true by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfChanges:
    """What is supposed: other criteria, pairs, levels, targets, and clusters that are not there."""

    criteria: Criteria
    forced: tuple[PairKey, ...] = ()
    forbidden: tuple[PairKey, ...] = ()
    levels: Mapping[tuple[UUID, Skill], int]
    targets: Mapping[tuple[UUID, Skill], TargetLevel]
    without: frozenset[UUID] = frozenset()

    @property
    def only_the_plan(self) -> bool:
        """Whether all of it is for whoever plans to decide, so that a draft can be made of it."""
        return not self.levels and not self.targets and not self.without

    @property
    def clusters(self) -> set[UUID]:
        """Whom it is about."""
        return {id for id, _ in (*self.levels, *self.targets)} | self.without


def with_changes(question: PlanInput, changes: WhatIfChanges) -> PlanInput:
    """The question as it would be; pairs of clusters that are not there are gone with them."""
    here = [_changed(one, changes) for one in question.clusters if one.id not in changes.without]
    return replace(
        question,
        clusters=tuple(here),
        fixed_pairs=tuple(two for two in question.fixed_pairs if not changes.without & set(two)),
        open_proposals=tuple(two for two in question.open_proposals if not changes.without & set(two)),
        criteria=changes.criteria,
        forced=changes.forced,
        forbidden=changes.forbidden,
    )


def _changed(cluster: Profile, changes: WhatIfChanges) -> Profile:
    levels = {skill: level for (id, skill), level in changes.levels.items() if id == cluster.id}
    targets = {skill: aim for (id, skill), aim in changes.targets.items() if id == cluster.id}
    return replace(cluster, levels={**cluster.levels, **levels}, targets={**cluster.targets, **targets})
