"""The move frontier: the best total for each number of open proposals that are withdrawn.

At a given move price the best plan maximises `total + price x kept proposals`, which is a line in the price. Two plans
are equally good at one price; if another plan is better there, it lies between them on the frontier.
"""

from collections import deque
from dataclasses import replace

from services.matching.rules.engine import NEVER_STOP, Control
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import ResultModel
from services.matching.rules.planning.plan import MAX_MOVE_PRICE, solve_to_optimality
from services.matching.rules.scoring.pair_score import score_ignoring_rules

MAX_PLANS = 40
"""Plans that are solved at most."""


class FrontierPoint(ResultModel):
    """The best plan from a move price on: how many open proposals it withdraws, its pairs and its total."""

    price: int
    dropped: int
    pairs: int
    total: int


class MoveFrontier(ResultModel):
    """Points from the lowest price to the highest; `whole` is false if points may be missing for lack of time."""

    points: tuple[FrontierPoint, ...]
    whole: bool


def move_frontier(plan_input: PlanInput, control: Control = NEVER_STOP) -> MoveFrontier:
    """The frontier by the plan input's objective; its own move price does not count.

    Args:
        plan_input: has the open proposals.
        control: called with the share that is done; if it returns True, the points so far are returned.
    """
    plans = {price: _plan_at(plan_input, price) for price in (0, MAX_MOVE_PRICE)}
    intervals, whole = deque([(0, MAX_MOVE_PRICE)]), True
    while intervals:
        low, high = intervals.popleft()
        cheap, dear = plans[low], plans[high]
        moves = cheap.dropped - dear.dropped
        if moves <= 0 or high - low <= 1:
            continue
        if len(plans) >= MAX_PLANS or control(len(plans) / MAX_PLANS):
            whole = False
            break
        price = min(max(-(-(cheap.total - dear.total) // moves), low + 1), high - 1)
        plans[price] = _plan_at(plan_input, price)
        intervals += [(low, price), (price, high)]
    return MoveFrontier(points=_points(plans), whole=whole)


def _points(plans: dict[int, FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """One point for each number of withdrawn proposals, at its lowest price."""
    points: dict[int, FrontierPoint] = {}
    for price in sorted(plans):
        points.setdefault(plans[price].dropped, plans[price])
    return tuple(points.values())


def _plan_at(plan_input: PlanInput, price: int) -> FrontierPoint:
    criteria = plan_input.criteria.model_copy(update={"move_price": price})
    problem, solution = solve_to_optimality(replace(plan_input, criteria=criteria))
    decided = problem.decided_here
    decided_total = sum(score_ignoring_rules(problem.features, *pair).total for pair in decided)
    return FrontierPoint(
        price=price,
        dropped=int((problem.is_proposal & ~solution.taken).sum()),
        pairs=len(decided) + int(solution.taken.sum()),
        total=decided_total + int(problem.score[solution.taken].sum()),
    )
