"""Minimum loads that no plan meets, and the smallest set of clusters that explains it.

The solver meets minimum loads first. One that is not met is explained by those whom it could be paired with, by whom
these are paired with, and so on: all of these learners are full, and all of these mentors have no pair to spare.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Infeasibility
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.planning.objectives import Solution

Partners = Mapping[int, set[int]]


def infeasibilities(question: PlanInput, problem: AssignmentProblem, found: Solution) -> tuple[Infeasibility, ...]:
    """Each minimum load that is not met."""
    names = [one.name for one in question.clusters]
    network, taken = problem.network, np.flatnonzero(found.taken)
    arcs = list(zip(network.mentor.tolist(), network.learner.tolist(), strict=True))
    chosen = [arcs[arc] for arc in taken]
    told = []
    for side, least in (("mentor", network.mentor_minimum), ("learner", network.learner_minimum)):
        ways = arcs if side == "mentor" else [(learner, mentor) for mentor, learner in arcs]
        used = chosen if side == "mentor" else [(learner, mentor) for mentor, learner in chosen]
        loads = np.bincount([one for one, _ in used], minlength=len(names))
        short = np.flatnonzero(loads < least).tolist()
        told += [
            _explained(one, int(least[one] - loads[one]), side, ways, used, names, problem.cluster_ids) for one in short
        ]
    return tuple(told)


def _explained(
    one: int,
    missing: int,
    side: str,
    ways: Sequence[tuple[int, int]],
    used: Sequence[tuple[int, int]],
    names: Sequence[str],
    ids: Sequence[UUID],
) -> Infeasibility:
    other = "learner" if side == "mentor" else "mentor"
    theirs, others = _bound(one, _by_first(ways), _by_first([(b, a) for a, b in used]))
    wanted = f"{names[one]} is to have {missing} more as {side} than there is a way for."
    if not others:
        reason = f"There is no {other} with a free place whom {names[one]} could be paired with."
    else:
        reason = (
            f"{_listed(names, theirs)} {'has' if len(theirs) == 1 else 'have'} minimum loads that only "
            f"{_listed(names, others)} could meet, as {other}s, and their places are full."
        )
    return Infeasibility(wanted=wanted, clusters=tuple(ids[place] for place in sorted(theirs | others)), reason=reason)


def _bound(one: int, ways: Partners, holders: Partners) -> tuple[set[int], set[int]]:
    """Whom `one` competes with, and for whom: everybody reached by possible pairs one way and by taken ones back."""
    theirs, others, open_ = {one}, set[int](), [one]
    while open_:
        for other in ways.get(open_.pop(), set()) - others:
            others.add(other)
            new = holders.get(other, set()) - theirs
            theirs |= new
            open_.extend(new)
    return theirs, others


def _by_first(pairs: Sequence[tuple[int, int]]) -> Partners:
    found: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
    return found


def _listed(names: Sequence[str], places: set[int]) -> str:
    said = sorted(names[place] for place in places)
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
