"""The exact optimum of a consortium: the pairs with the highest total score under both sides' capacities.

The problem is a transportation problem, so the linear programme has an integer optimum; the simplex method finds it,
and the dual solution proves it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID


class Arc(NamedTuple):
    """A possible pair."""

    mentor: UUID
    learner: UUID
    score: int


class Problem(NamedTuple):
    """Possible pairs, and how many each side of them can still take."""

    arcs: tuple[Arc, ...]
    mentor_places: Mapping[UUID, int]
    learner_places: Mapping[UUID, int]


class NotOptimal(RuntimeError):
    """The solver gave no proof that its plan is the best."""


SOLVER = "HiGHS simplex"


def optimum(problem: Problem, time_limit: float = 60.0) -> list[Arc]:
    """The best plan, within `time_limit` seconds. The order in which arcs are given makes no difference.

    Raises:
        NotOptimal: the time is over, or the proof does not hold.
    """
    arcs = sorted(problem.arcs)
    rows = [("mentor", one) for one in sorted({arc.mentor for arc in arcs})]
    rows += [("learner", one) for one in sorted({arc.learner for arc in arcs})]
    index = {row: place for place, row in enumerate(rows)}
    places = [(problem.mentor_places if side == "mentor" else problem.learner_places).get(one, 0) for side, one in rows]
    values, prices = _simplex(arcs, index, places, time_limit)
    chosen = [arc for arc, value in zip(arcs, values, strict=True) if value > 0.5]  # noqa: PLR2004
    prove(arcs, chosen, dict(zip(rows, zip(places, prices, strict=True), strict=True)))
    return chosen


def _simplex(
    arcs: Sequence[Arc], index: Mapping[tuple[str, UUID], int], places: Sequence[int], time_limit: float
) -> tuple[list[float], list[float]]:
    """How much of each arc is taken, and the price of a place in each row (negative)."""
    import highspy  # noqa: PLC0415  a quarter of a second, paid only where plans are made
    import numpy as np  # noqa: PLC0415  likewise

    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # it has no types
    for option, value in (("output_flag", False), ("solver", "simplex"), ("threads", 1), ("time_limit", time_limit)):
        solver.setOptionValue(option, value)
    for limit in places:
        solver.addRow(0.0, float(limit), 0, np.array([], dtype=np.int32), np.array([]))
    for arc in arcs:
        used = np.array([index["mentor", arc.mentor], index["learner", arc.learner]], dtype=np.int32)
        solver.addCol(-float(arc.score), 0.0, 1.0, 2, used, np.ones(2))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal and arcs:
        raise NotOptimal("The time is over.")
    solution = solver.getSolution()
    return list(solution.col_value), list(solution.row_dual)


def prove(arcs: Sequence[Arc], chosen: Sequence[Arc], duals: Mapping[tuple[str, UUID], tuple[int, float]]) -> None:
    """Check that no plan is better: `duals` gives, for each side of each cluster, its places and a price per place.

    With prices p >= 0, every plan's total is at most sum(places * p) + sum(max(0, score - prices of both ends)).

    Raises:
        NotOptimal: the plan takes more places than there are, or that bound is above its total.
    """
    taken = dict.fromkeys(duals, 0)
    for arc in chosen:
        taken["mentor", arc.mentor] += 1
        taken["learner", arc.learner] += 1
    if any(taken[row] > places for row, (places, _) in duals.items()):
        raise NotOptimal("The plan takes more places than there are.")
    price = {row: max(0.0, -dual) for row, (_, dual) in duals.items()}
    bound = sum(places * price[row] for row, (places, _) in duals.items())
    bound += sum(max(0.0, a.score - price["mentor", a.mentor] - price["learner", a.learner]) for a in arcs)
    if bound - sum(arc.score for arc in chosen) >= 1:
        raise NotOptimal(f"The plan's total is below its bound of {bound}.")
