"""The certificate of a plan: the proof of its optimality, checked by sums only."""

import numpy as np

from services.matching.rules.engine.problem import Int32Array, Int64Array, Solved


class NotOptimal(ArithmeticError):
    """A certificate does not prove its plan."""


def check(solved: Solved) -> None:
    """Check that a plan is feasible and that its prices prove the bound, and the optimum if it is exact.

    By weak duality the value of any plan, with the bonus of each pair that meets a minimum load, is at most the price
    of all slots plus all positive reduced values. Equality holds exactly if all pairs of positive reduced value are
    taken and none of negative reduced value, and each cluster has the load that its price implies (complementary
    slackness).

    Raises:
        NotOptimal: with the condition that does not hold.
    """
    problem = solved.problem
    mentor_load = _load(problem.mentor, solved, problem.mentor_slots)
    learner_load = _load(problem.learner, solved, problem.learner_slots)
    reduced = problem.value - solved.mentor_price[problem.mentor] - solved.learner_price[problem.learner]
    value, bound = int(problem.value[solved.taken].sum()), int(np.maximum(reduced, 0).sum())
    sides = (
        (mentor_load, solved.mentor_price, problem.mentor_slots, problem.mentor_minimum),
        (learner_load, solved.learner_price, problem.learner_slots, problem.learner_minimum),
    )
    for load, price, slots, minimum in sides:
        value += problem.bonus * int(np.minimum(load, minimum).sum())
        bound += _slots_value(price, slots, minimum, problem.bonus)
    if bound != solved.bound:
        raise NotOptimal(f"The prices prove a bound of {bound}, not of {solved.bound}.")
    if value > bound:
        raise NotOptimal(f"The plan is worth {value}, more than its bound {bound}.")
    if solved.exact:
        _check_slackness(solved, reduced)
        if value != bound:
            raise NotOptimal(f"The plan is worth {value}, and {bound} is not ruled out.")


def _check_slackness(solved: Solved, reduced: Int64Array) -> None:
    if (reduced[solved.taken] < 0).any():
        raise NotOptimal("The plan has a pair of negative reduced value.")
    if (reduced[~solved.taken] > 0).any():
        raise NotOptimal("The plan lacks a pair of positive reduced value.")


def _load(ends: Int32Array, solved: Solved, slots: Int32Array) -> Int64Array:
    load = np.bincount(ends[solved.taken], minlength=len(slots)).astype(np.int64)
    if (load > slots).any():
        raise NotOptimal("The plan takes more places than there are.")
    return load


def _slots_value(price: Int64Array, slots: Int32Array, minimum: Int32Array, bonus: int) -> int:
    """The dual value of slots: price and bonus of those of the minimum load, price of the others; none negative."""
    needed, others = np.maximum(price + bonus, 0) * minimum, np.maximum(price, 0) * (slots - minimum)
    return int(needed.sum()) + int(others.sum())
