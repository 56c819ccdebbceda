"""Shadow prices: what one more slot of a mentor would add to a plan, by one path through its residual graph."""

from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import PlanChange, Residual
from services.matching.rules.inputs.plan_models import LearnerDelta, ShadowPrice
from services.matching.rules.planning.assignment_problem import AssignmentProblem
from services.matching.rules.planning.objectives import Solution

MAX_MENTORS = 200
"""Mentors whose shadow price is computed, those with the highest dual price first."""


class PlanEffect(NamedTuple):
    """The effect of a change of the plan: hundredths of a point, number of pairs, and the delta of each learner."""

    score: int
    pairs: int
    deltas: tuple[LearnerDelta, ...]

    @property
    def gainer_id(self) -> UUID | None:
        """The learner that gains most; None if no learner gains."""
        best = max(self.deltas, key=lambda delta: (delta.after - delta.before, delta.cluster_id), default=None)
        return best.cluster_id if best and best.after > best.before else None

    @property
    def loser_id(self) -> UUID | None:
        """The learner that loses most; None if no learner loses."""
        worst = min(self.deltas, key=lambda delta: (delta.after - delta.before, delta.cluster_id), default=None)
        return worst.cluster_id if worst and worst.after < worst.before else None


def effect_of(problem: AssignmentProblem, change: PlanChange, taken: NDArray[np.bool_]) -> PlanEffect:
    """The effect of a change on the learners of a plan that takes the given arcs."""
    learner_of, score = problem.network.learner, problem.score
    learners = sorted({int(learner_of[arc]) for arc in (*change.added, *change.dropped)})
    before = {learner: int(score[taken & (learner_of == learner)].sum()) for learner in learners}
    after = dict(before)
    for arcs, sign in ((change.added, 1), (change.dropped, -1)):
        for arc in arcs:
            after[int(learner_of[arc])] += sign * int(score[arc])
    deltas = tuple(
        LearnerDelta(cluster_id=problem.cluster_ids[learner], before=before[learner], after=after[learner])
        for learner in learners
    )
    return PlanEffect(sum(after.values()) - sum(before.values()), len(change.added) - len(change.dropped), deltas)


def shadow_prices(problem: AssignmentProblem, solution: Solution, residual: Residual | None) -> tuple[ShadowPrice, ...]:
    """The shadow prices of mentors without a free slot, as far as they are positive; none without a residual graph.

    Mentors with a dual price of 0 are skipped: one more slot of theirs would add nothing.
    """
    if residual is None:
        return ()
    (solved,) = solution.stages
    used = np.bincount(problem.network.mentor[solution.taken], minlength=len(problem.cluster_ids))
    priced = np.flatnonzero(solved.mentor_price > 0)
    priced = priced[np.argsort(-solved.mentor_price[priced], kind="stable")][:MAX_MENTORS]
    prices = []
    for mentor in priced:
        effect = effect_of(problem, residual.one_more_mentor_slot(int(mentor)), solution.taken)
        if effect.score > 0 or effect.pairs > 0:
            prices.append(
                ShadowPrice(
                    mentor_id=problem.cluster_ids[mentor],
                    places=int(problem.network.mentor_slots[mentor]),
                    used=int(used[mentor]),
                    gain=effect.score,
                    more_pairs=effect.pairs,
                    gainer_id=effect.gainer_id,
                )
            )
    return tuple(sorted(prices, key=lambda price: (-price.more_pairs, -price.gain, price.mentor_id)))
