"""The best plan of a problem, with the prices that prove it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import kernel
from services.matching.rules.engine.jit import can_compile, compiled
from services.matching.rules.engine.kernel import UNREACHED, State
from services.matching.rules.engine.problem import NEVER_STOP, Control, Int32Array, Problem, Solved

COMPILE_FROM_ARCS = 20_000
"""Arcs from which on compiling pays, where it has not been done yet: below, the plain form takes less than a second."""
LEARNERS_PER_STEP = 512
"""Learners between two looks at the control."""


def solve(problem: Problem, control: Control = NEVER_STOP) -> Solved:
    """The plan whose pairs are worth most, minimum loads met first.

    Args:
        problem: arcs and places.
        control: told what share of the learners is done; if it stops, the plan is the best for those.

    Raises:
        ValueError: 64 bits do not hold what the worths could add up to.
    """
    if problem.mentor_slots.sum() >= problem.learner_slots.sum():
        return _filled(problem, control)
    order = np.lexsort((problem.learner, problem.mentor))
    solved = _filled(_turned(problem, order), control)
    taken = np.zeros(len(order), np.bool_)
    taken[order] = solved.taken
    return Solved(problem, taken, solved.learner_price, solved.mentor_price, exact=solved.exact, bound=solved.bound)


def _turned(problem: Problem, order: NDArray[np.intp]) -> Problem:
    """The same with sides exchanged: places are filled from the side that has fewer, since the other has room."""
    return Problem(
        problem.learner[order],
        problem.mentor[order],
        problem.worth[order],
        problem.learner_slots,
        problem.mentor_slots,
        problem.learner_minimum,
        problem.mentor_minimum,
    )


def _filled(problem: Problem, control: Control) -> Solved:
    state = initial_state(problem)
    fill = kernel_function("fill", len(problem.worth))
    order = _order(problem)
    for done in range(0, len(order), LEARNERS_PER_STEP):
        if done and control(done / len(order)):
            return _solved(problem, state, order[done:])
        fill(state, order[done : done + LEARNERS_PER_STEP])
    return _solved(problem, state, order[:0])


def kernel_function(name: str, arcs: int) -> Callable[..., Any]:
    """A part of the kernel in the form that is quicker for so many arcs; both do the same."""
    compiles = compiled.cache_info().currsize > 0 or (arcs >= COMPILE_FROM_ARCS and can_compile())
    form: Callable[..., Any] = compiled()[name] if compiles else getattr(kernel, name)
    return form


def initial_state(problem: Problem, room: Int32Array | None = None) -> State:
    """Nobody has a pair yet. Mentors may get as many places as there is `room`; else those that they have."""
    mentors, learners, arcs = len(problem.mentor_slots), len(problem.learner_slots), len(problem.worth)
    nodes = mentors + learners
    places = np.concatenate([problem.mentor_slots, problem.learner_slots]).astype(np.int32)
    least = np.concatenate([problem.mentor_minimum, problem.learner_minimum]).astype(np.int32)
    bonus = problem.bonus
    room = problem.mentor_slots if room is None else room
    starts = np.searchsorted(problem.learner, np.arange(learners + 1))
    return State(
        mentors=mentors,
        bonus=bonus,
        arc_mentor=problem.mentor.astype(np.int32),
        arc_learner=(problem.learner + mentors).astype(np.int32),
        worth=problem.worth.astype(np.int64),
        start=starts.astype(np.int64),
        taken=np.zeros(arcs, np.bool_),
        slot=np.zeros(arcs, np.int32),
        held=np.zeros(int(room.sum()), np.int32),
        first=np.concatenate([[0], np.cumsum(room)]).astype(np.int64),
        by_mentor=np.zeros(0, np.int32),
        mentor_start=np.zeros(0, np.int64),
        places=places,
        least=least,
        load=np.zeros(nodes, np.int32),
        price=np.where(least > 0, -bonus, 0).astype(np.int64),
        dist=np.zeros(nodes, np.int64),
        via=np.full(nodes, UNREACHED, np.int32),
        where=np.full(nodes, UNREACHED, np.int32),
        heap=np.zeros(nodes, np.int32),
        seen=np.zeros(nodes, np.int32),
    )


def state_of(solved: Solved) -> State:
    """The state that ends in this plan, with room for any number of places, and ready for searches either way."""
    problem = solved.problem
    arcs = np.bincount(problem.mentor, minlength=len(problem.mentor_slots))
    state = initial_state(problem, np.maximum(arcs, problem.mentor_slots).astype(np.int32))
    by_mentor = np.argsort(problem.mentor, kind="stable").astype(np.int32)
    start = np.concatenate([[0], np.cumsum(arcs)]).astype(np.int64)
    state = state._replace(by_mentor=by_mentor, mentor_start=start)
    kernel_function("take_many", len(problem.worth))(state, np.flatnonzero(solved.taken).astype(np.int32))
    state.price[:] = np.concatenate([solved.mentor_price, solved.learner_price])
    return state


def _order(problem: Problem) -> NDArray[np.int32]:
    """Learners with places and arcs, whoever has the best arc first: fewer of them are moved later."""
    starts = np.flatnonzero(np.diff(problem.learner, prepend=-1))  # arcs are in the order of learners
    if not len(starts):
        return np.zeros(0, np.int32)
    highest = np.maximum.reduceat(problem.worth, starts)
    best_first = problem.learner[starts[np.argsort(-highest, kind="stable")]]
    best_first = best_first[problem.learner_slots[best_first] > 0]
    return (best_first + len(problem.mentor_slots)).astype(np.int32)


def _solved(problem: Problem, state: State, left: NDArray[np.int32]) -> Solved:
    mentors = state.mentors
    shut = (mentors + np.flatnonzero(problem.learner_slots == 0)).astype(np.int32)
    kernel_function("initial_prices", len(problem.worth))(state, np.concatenate([left, shut]))
    prices = state.price[:mentors].copy(), state.price[mentors:].copy()
    return Solved(problem, state.taken, *prices, exact=not len(left), bound=bound(problem, *prices))


def bound(problem: Problem, mentor_price: NDArray[np.int64], learner_price: NDArray[np.int64]) -> int:
    """What no plan is worth more than: all places at their prices, and what pairs are worth more than both ends."""
    over = problem.worth - mentor_price[problem.mentor] - learner_price[problem.learner]
    sides = (
        (mentor_price, problem.mentor_slots, problem.mentor_minimum),
        (learner_price, problem.learner_slots, problem.learner_minimum),
    )
    bonus = problem.bonus
    ends = [
        int((np.maximum(price, 0) * (places - least) + np.maximum(price + bonus, 0) * least).sum())
        for price, places, least in sides
    ]
    return sum(ends) + int(np.maximum(over, 0).sum())
