"""The proof that a plan is the best, checked by nothing but sums."""

import numpy as np

from services.matching.rules.engine.problem import Int32Array, Int64Array, Solved


class NotOptimal(ArithmeticError):
    """What was given as the best plan is not proved to be one."""


def check(solved: Solved) -> None:
    """Check that a plan fits and, if it is called exact, that its prices leave no room for a better one.

    A plan's worth, and the bonus of each pair that a minimum load needs, is at most the worth of all places at their
    prices and of all pairs above them. Equality holds exactly if each pair is taken that is worth more than its ends,
    none that is worth less, and each side has as many pairs as its price says (complementary slackness).

    Raises:
        NotOptimal: it does not hold, and where.
    """
    problem = solved.problem
    loads = _load(problem.mentor, solved, problem.mentor_slots), _load(problem.learner, solved, problem.learner_slots)
    over = problem.worth - solved.mentor_price[problem.mentor] - solved.learner_price[problem.learner]
    worth, bound = int(problem.worth[solved.taken].sum()), int(np.maximum(over, 0).sum())
    sides = (
        (loads[0], solved.mentor_price, problem.mentor_slots, problem.mentor_minimum),
        (loads[1], solved.learner_price, problem.learner_slots, problem.learner_minimum),
    )
    for load, price, places, least in sides:
        worth += problem.bonus * int(np.minimum(load, least).sum())
        bound += _most(price, places, least, problem.bonus)
    if bound != solved.bound:
        raise NotOptimal(f"The prices prove a bound of {bound}, not of {solved.bound}.")
    if worth > bound:
        raise NotOptimal(f"The plan is worth {worth}, more than its bound {bound}.")
    if solved.exact:
        _check_slackness(solved, over)
        if worth != bound:
            raise NotOptimal(f"The plan is worth {worth}, and {bound} is not ruled out.")


def _check_slackness(solved: Solved, over: Int64Array) -> None:
    if (over[solved.taken] < 0).any():
        raise NotOptimal("A pair is taken that is worth less than its ends.")
    if (over[~solved.taken] > 0).any():
        raise NotOptimal("A pair is left out that is worth more than its ends.")


def _load(ends: Int32Array, solved: Solved, places: Int32Array) -> Int64Array:
    load = np.bincount(ends[solved.taken], minlength=len(places)).astype(np.int64)
    if (load > places).any():
        raise NotOptimal("The plan takes more places than there are.")
    return load


def _most(price: Int64Array, places: Int32Array, least: Int32Array, bonus: int) -> int:
    """What places can add at most: a bonus for each up to the minimum load, and the price for each."""
    needed, others = np.maximum(price + bonus, 0) * least, np.maximum(price, 0) * (places - least)
    return int(needed.sum()) + int(others.sum())
