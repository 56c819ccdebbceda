"""What one more place with a mentor would add to a plan, by one path through its residual graph."""

from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import PlanChange, Residual
from services.matching.rules.inputs.plan_models import LearnerDelta, ShadowPrice
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.planning.objectives import Solution

MAX_MENTORS = 200
"""Mentors whose price is looked at, the dearest first."""


class PlanEffect(NamedTuple):
    """What a change of the plan adds in hundredths of a point and in pairs, and what each learner gains or loses."""

    score: int
    pairs: int
    shifts: tuple[LearnerDelta, ...]

    @property
    def gainer_id(self) -> UUID | None:
        """Who gains most."""
        best = max(self.shifts, key=lambda one: (one.after - one.before, one.cluster_id), default=None)
        return best.cluster_id if best and best.after > best.before else None

    @property
    def loser_id(self) -> UUID | None:
        """Who loses most."""
        worst = min(self.shifts, key=lambda one: (one.after - one.before, one.cluster_id), default=None)
        return worst.cluster_id if worst and worst.after < worst.before else None


def effect_of(problem: AssignmentProblem, change: PlanChange, taken: NDArray[np.bool_]) -> PlanEffect:
    """What a change means to people."""
    learners = {int(problem.network.learner[arc]) for arc in (*change.added, *change.dropped)}
    had = {one: int(problem.score[taken & (problem.network.learner == one)].sum()) for one in sorted(learners)}
    has = dict(had)
    for arcs, sign in ((change.added, 1), (change.dropped, -1)):
        for arc in arcs:
            has[int(problem.network.learner[arc])] += sign * int(problem.score[arc])
    shifts = tuple(LearnerDelta(cluster_id=problem.cluster_ids[one], before=had[one], after=has[one]) for one in has)
    return PlanEffect(sum(has.values()) - sum(had.values()), len(change.added) - len(change.dropped), shifts)


def shadow_prices(problem: AssignmentProblem, found: Solution, residual: Residual | None) -> tuple[ShadowPrice, ...]:
    """Of the mentors whose places are all taken and worth more than nothing; none for a plan without a residual graph.

    A mentor without a price in the proof would add nothing by one more place.
    """
    if residual is None:
        return ()
    (solved,) = found.stages
    used = np.bincount(problem.network.mentor[found.taken], minlength=len(problem.cluster_ids))
    dear = np.flatnonzero(solved.mentor_price > 0)
    dear = dear[np.argsort(-solved.mentor_price[dear], kind="stable")][:MAX_MENTORS]
    told = []
    for mentor in dear:
        gained = effect_of(problem, residual.one_more_mentor_slot(int(mentor)), found.taken)
        if gained.score > 0 or gained.pairs > 0:
            told.append(
                ShadowPrice(
                    mentor_id=problem.cluster_ids[mentor],
                    places=int(problem.network.mentor_slots[mentor]),
                    used=int(used[mentor]),
                    gain=gained.score,
                    more_pairs=gained.pairs,
                    gainer_id=gained.gainer_id,
                )
            )
    return tuple(sorted(told, key=lambda one: (-one.more_pairs, -one.gain, one.mentor_id)))
