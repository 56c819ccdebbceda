"""What it would bring to move open proposals: the best total for each number of them that is dropped.

A plan that has to gain a price for each proposal it drops is, at each price, the best of the lines `total + price x
stay`. Two plans meet at one price; if another is better there, it lies between them.
"""

from collections import deque
from dataclasses import replace

from services.matching.rules.engine import NEVER_STOP, Control
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import ResultModel
from services.matching.rules.planning.plan import MAX_MOVE_PRICE, solve_to_optimality
from services.matching.rules.scoring.pair_score import score_ignoring_rules

MAX_PLANS = 40
"""How many plans are made at most to trace it."""


class FrontierPoint(ResultModel):
    """The best plan from a price of dropping a proposal on: how many it drops, and what it adds up to."""

    price: int
    dropped: int
    pairs: int
    total: int


class MoveFrontier(ResultModel):
    """From the lowest price to the highest; `whole` is false where there was no time to look between all of them."""

    points: tuple[FrontierPoint, ...]
    whole: bool


def move_frontier(question: PlanInput, control: Control = NEVER_STOP) -> MoveFrontier:
    """Trace it, by the question's objective and whatever its own price.

    Args:
        question: whose open proposals are moved.
        control: where it says to stop, what has been found is told.
    """
    found = {price: _at(question, price) for price in (0, MAX_MOVE_PRICE)}
    between, whole = deque([(0, MAX_MOVE_PRICE)]), True
    while between:
        low, high = between.popleft()
        cheap, dear = found[low], found[high]
        stays = cheap.dropped - dear.dropped
        if stays <= 0 or high - low <= 1:
            continue
        if len(found) >= MAX_PLANS or control(len(found) / MAX_PLANS):
            whole = False
            break
        price = min(max(-(-(cheap.total - dear.total) // stays), low + 1), high - 1)
        found[price] = _at(question, price)
        between += [(low, price), (price, high)]
    return MoveFrontier(points=_told(found), whole=whole)


def _told(found: dict[int, FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """One point for each number of dropped proposals, at the lowest price it was found at."""
    told: dict[int, FrontierPoint] = {}
    for price in sorted(found):
        told.setdefault(found[price].dropped, found[price])
    return tuple(told.values())


def _at(question: PlanInput, price: int) -> FrontierPoint:
    problem, found = solve_to_optimality(
        replace(question, criteria=question.criteria.model_copy(update={"move_price": price}))
    )
    standing = sum(score_ignoring_rules(problem.features, *two).total for two in problem.decided_here)
    return FrontierPoint(
        price=price,
        dropped=int((problem.is_proposal & ~found.taken).sum()),
        pairs=len(problem.decided_here) + int(found.taken.sum()),
        total=standing + int(problem.score[found.taken].sum()),
    )
