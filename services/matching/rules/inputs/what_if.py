"""A plan input with assumed changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PairKey, PlanInput
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfChanges:
    """The assumptions of a what-if: criteria, pairs, levels, targets, and clusters that are left out (`without`)."""

    criteria: Criteria
    forced: tuple[PairKey, ...] = ()
    forbidden: tuple[PairKey, ...] = ()
    levels: Mapping[tuple[UUID, Skill], int]
    targets: Mapping[tuple[UUID, Skill], TargetLevel]
    without: frozenset[UUID] = frozenset()

    @property
    def only_the_plan(self) -> bool:
        """Whether only criteria and pairs change, which the coordinator decides, so that it can become a draft."""
        return not self.levels and not self.targets and not self.without

    @property
    def clusters(self) -> set[UUID]:
        """The clusters that change."""
        return {id for id, _ in (*self.levels, *self.targets)} | self.without


def with_changes(plan_input: PlanInput, changes: WhatIfChanges) -> PlanInput:
    """The plan input with the changes; pairs of clusters that are left out are left out too."""
    clusters = [_changed(cluster, changes) for cluster in plan_input.clusters if cluster.id not in changes.without]
    return replace(
        plan_input,
        clusters=tuple(clusters),
        fixed_pairs=tuple(pair for pair in plan_input.fixed_pairs if not changes.without & set(pair)),
        open_proposals=tuple(pair for pair in plan_input.open_proposals if not changes.without & set(pair)),
        criteria=changes.criteria,
        forced=changes.forced,
        forbidden=changes.forbidden,
    )


def _changed(cluster: Profile, changes: WhatIfChanges) -> Profile:
    levels = {skill: level for (id, skill), level in changes.levels.items() if id == cluster.id}
    targets = {skill: target for (id, skill), target in changes.targets.items() if id == cluster.id}
    return replace(cluster, levels={**cluster.levels, **levels}, targets={**cluster.targets, **targets})
