"""Minimum loads that no plan can meet, with the smallest set of clusters that explains each.

The solver meets minimum loads first. An unmet one is explained by the clusters that are reachable from it along
possible pairs in one direction and taken pairs in the other: all slots on the far side are full, and no cluster on the
near side has a pair to spare.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np

from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Infeasibility
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.planning.objectives import Solution
from shared.wording import listed

Partners = Mapping[int, set[int]]


class _Side(NamedTuple):
    """One role in a plan.

    Attributes:
        role: mentor or learner.
        possible: the possible partners of each cluster in this role, by cluster number.
        holders: the clusters in this role that take a slot of each partner.
        names: of all clusters.
        ids: of all clusters.
    """

    role: Role
    possible: Partners
    holders: Partners
    names: Sequence[str]
    ids: Sequence[UUID]


def infeasibilities(plan_input: PlanInput, problem: AssignmentProblem, solution: Solution) -> tuple[Infeasibility, ...]:
    """Each minimum load that is not met."""
    names = [cluster.name for cluster in plan_input.clusters]
    network, taken = problem.network, solution.taken
    unmet = []
    for role, near, far, minimum in (
        ("mentor", network.mentor, network.learner, network.mentor_minimum),
        ("learner", network.learner, network.mentor, network.learner_minimum),
    ):
        side = _Side(
            role,  # type: ignore[arg-type]  # a literal of the tuple above
            _partners(zip(near.tolist(), far.tolist(), strict=True)),
            _partners(zip(far[taken].tolist(), near[taken].tolist(), strict=True)),
            names,
            problem.cluster_ids,
        )
        loads = np.bincount(near[taken], minlength=len(names))
        short = np.flatnonzero(loads < minimum).tolist()
        unmet += [_explain(side, cluster, int(minimum[cluster] - loads[cluster])) for cluster in short]
    return tuple(unmet)


def _explain(side: _Side, cluster: int, missing: int) -> Infeasibility:
    name, other_role = side.names[cluster], "learner" if side.role == "mentor" else "mentor"
    competitors, partners = _reachable(cluster, side.possible, side.holders)
    wanted = f"{name} is to have {missing} more as {side.role} than there is a way for."
    if partners:
        reason = (
            f"{_names(side, competitors)} {'has' if len(competitors) == 1 else 'have'} minimum loads that only "
            f"{_names(side, partners)} could meet, as {other_role}s, and their places are full."
        )
    else:
        reason = f"There is no {other_role} with a free place whom {name} could be paired with."
    clusters = tuple(side.ids[number] for number in sorted(competitors | partners))
    return Infeasibility(wanted=wanted, clusters=clusters, reason=reason)


def _reachable(cluster: int, possible: Partners, holders: Partners) -> tuple[set[int], set[int]]:
    """The clusters that a cluster competes with (itself included), and the partners they compete for."""
    competitors, partners, queue = {cluster}, set[int](), [cluster]
    while queue:
        for partner in possible.get(queue.pop(), set()) - partners:
            partners.add(partner)
            new = holders.get(partner, set()) - competitors
            competitors |= new
            queue.extend(new)
    return competitors, partners


def _partners(pairs: Iterable[tuple[int, int]]) -> Partners:
    partners: defaultdict[int, set[int]] = defaultdict(set)
    for cluster, partner in pairs:
        partners[cluster].add(partner)
    return partners


def _names(side: _Side, clusters: set[int]) -> str:
    return listed(sorted(side.names[number] for number in clusters))
