"""What it would bring to move open proposals: the best total for each number of them that is dropped.

A plan that has to gain a price for each proposal it drops is, at each price, the best of the lines `total + price x
stay`. Two plans meet at one price; if another is better there, it lies between them.
"""

from collections import deque
from dataclasses import replace

from services.matching.rules.engine import NEVER, Control
from services.matching.rules.inputs.plan_input import Question
from services.matching.rules.inputs.plan_models import Value
from services.matching.rules.planning.plan import HIGHEST, decided
from services.matching.rules.scoring.pair_score import score_anyway

MOST = 40
"""How many plans are made at most to trace it."""


class Moved(Value):
    """The best plan from a price of dropping a proposal on: how many it drops, and what it adds up to."""

    price: int
    dropped: int
    pairs: int
    total: int


class Moves(Value):
    """From the lowest price to the highest; `whole` is false where there was no time to look between all of them."""

    points: tuple[Moved, ...]
    whole: bool


def moves(question: Question, control: Control = NEVER) -> Moves:
    """Trace it, by the question's objective and whatever its own price.

    Args:
        question: whose open proposals are moved.
        control: where it says to stop, what has been found is told.
    """
    found = {price: _at(question, price) for price in (0, HIGHEST)}
    between, whole = deque([(0, HIGHEST)]), True
    while between:
        low, high = between.popleft()
        cheap, dear = found[low], found[high]
        stays = cheap.dropped - dear.dropped
        if stays <= 0 or high - low <= 1:
            continue
        if len(found) >= MOST or control(len(found) / MOST):
            whole = False
            break
        price = min(max(-(-(cheap.total - dear.total) // stays), low + 1), high - 1)
        found[price] = _at(question, price)
        between += [(low, price), (price, high)]
    return Moves(points=_told(found), whole=whole)


def _told(found: dict[int, Moved]) -> tuple[Moved, ...]:
    """One point for each number of dropped proposals, at the lowest price it was found at."""
    told: dict[int, Moved] = {}
    for price in sorted(found):
        told.setdefault(found[price].dropped, found[price])
    return tuple(told.values())


def _at(question: Question, price: int) -> Moved:
    laid, found = decided(replace(question, criteria=question.criteria.model_copy(update={"move_price": price})))
    standing = sum(score_anyway(laid.table, *two).total for two in laid.standing)
    return Moved(
        price=price,
        dropped=int((laid.proposed & ~found.taken).sum()),
        pairs=len(laid.standing) + int(found.taken.sum()),
        total=standing + int(laid.score[found.taken].sum()),
    )
