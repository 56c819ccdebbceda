"""What one more place with a mentor would add to a plan, by one path through its residual graph."""

from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Change, Residual
from services.matching.rules.inputs.plan_models import PlacePrice, Shift
from services.matching.rules.planning.assignment_problem import Board
from services.matching.rules.planning.objectives import Best

MOST = 200
"""Mentors whose price is looked at, the dearest first."""


class Effect(NamedTuple):
    """What a change of the plan adds in hundredths of a point and in pairs, and what each learner gains or loses."""

    score: int
    pairs: int
    shifts: tuple[Shift, ...]

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


def effect(laid: Board, change: Change, taken: NDArray[np.bool_]) -> Effect:
    """What a change means to people."""
    learners = {int(laid.problem.learner[arc]) for arc in (*change.added, *change.dropped)}
    had = {one: int(laid.score[taken & (laid.problem.learner == one)].sum()) for one in sorted(learners)}
    has = dict(had)
    for arcs, sign in ((change.added, 1), (change.dropped, -1)):
        for arc in arcs:
            has[int(laid.problem.learner[arc])] += sign * int(laid.score[arc])
    shifts = tuple(Shift(cluster_id=laid.ids[one], before=had[one], after=has[one]) for one in has)
    return Effect(sum(has.values()) - sum(had.values()), len(change.added) - len(change.dropped), shifts)


def place_prices(laid: Board, found: Best, residual: Residual | None) -> tuple[PlacePrice, ...]:
    """Of the mentors whose places are all taken and worth more than nothing; none for a plan without a residual graph.

    A mentor without a price in the proof would add nothing by one more place.
    """
    if residual is None:
        return ()
    (solved,) = found.stages
    used = np.bincount(laid.problem.mentor[found.taken], minlength=len(laid.ids))
    dear = np.flatnonzero(solved.mentor_price > 0)
    dear = dear[np.argsort(-solved.mentor_price[dear], kind="stable")][:MOST]
    told = []
    for mentor in dear:
        gained = effect(laid, residual.one_more_mentor_place(int(mentor)), found.taken)
        if gained.score > 0 or gained.pairs > 0:
            told.append(
                PlacePrice(
                    mentor_id=laid.ids[mentor],
                    places=int(laid.problem.mentor_places[mentor]),
                    used=int(used[mentor]),
                    gain=gained.score,
                    more_pairs=gained.pairs,
                    gainer_id=gained.gainer_id,
                )
            )
    return tuple(sorted(told, key=lambda one: (-one.more_pairs, -one.gain, one.mentor_id)))
