"""Solves a problem to the optimum, with the prices that prove it."""

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine.jit import can_compile, compiled, kernel_function
from services.matching.rules.engine.kernel import UNREACHED, State
from services.matching.rules.engine.problem import NEVER_STOP, Control, Int32Array, Int64Array, Problem, Solved

LEARNERS_PER_STEP = 512
"""Learners between two calls of the control."""


def solve(problem: Problem, control: Control = NEVER_STOP) -> Solved:
    """The plan of the highest value, minimum loads met first.

    Args:
        problem: arcs and slots.
        control: called with the share of the learners that is done; if it stops, the plan is the best for those.

    Raises:
        ValueError: the values are too large for exact sums in 64 bits.
    """
    if problem.mentor_slots.sum() >= problem.learner_slots.sum():
        return _fill(problem, control)
    order = np.lexsort((problem.learner, problem.mentor))
    solved = _fill(_swapped(problem, order), control)
    taken = np.zeros(len(order), np.bool_)
    taken[order] = solved.taken
    return Solved(problem, taken, solved.learner_price, solved.mentor_price, exact=solved.exact, bound=solved.bound)


def _swapped(problem: Problem, order: NDArray[np.intp]) -> Problem:
    """The problem with sides exchanged: the side with fewer slots is filled, since the other then has free ones."""
    return Problem(
        problem.learner[order],
        problem.mentor[order],
        problem.value[order],
        problem.learner_slots,
        problem.mentor_slots,
        problem.learner_minimum,
        problem.mentor_minimum,
    )


def _fill(problem: Problem, control: Control) -> Solved:
    state = initial_state(problem)
    fill = kernel_function("fill", len(problem.value))
    order = _order(problem)
    for done in range(0, len(order), LEARNERS_PER_STEP):
        if done and control(done / len(order)):
            return _solved(problem, state, order[done:])
        fill(state, order[done : done + LEARNERS_PER_STEP])
    return _solved(problem, state, order[:0])


def initial_state(problem: Problem, max_held: Int32Array | None = None) -> State:
    """The state without pairs. `max_held` is the most pairs that each mentor can ever have; its slots if None."""
    mentors, learners, arcs = len(problem.mentor_slots), len(problem.learner_slots), len(problem.value)
    nodes = mentors + learners
    slots = np.concatenate([problem.mentor_slots, problem.learner_slots]).astype(np.int32)
    minimum = np.concatenate([problem.mentor_minimum, problem.learner_minimum]).astype(np.int32)
    bonus = problem.bonus
    max_held = problem.mentor_slots if max_held is None else max_held
    return State(
        mentors=mentors,
        bonus=bonus,
        arc_mentor=problem.mentor.astype(np.int32),
        arc_learner=(problem.learner + mentors).astype(np.int32),
        value=problem.value.astype(np.int64),
        start=np.searchsorted(problem.learner, np.arange(learners + 1)).astype(np.int64),
        taken=np.zeros(arcs, np.bool_),
        held_index=np.zeros(arcs, np.int32),
        held=np.zeros(int(max_held.sum()), np.int32),
        held_start=np.concatenate([[0], np.cumsum(max_held)]).astype(np.int64),
        by_mentor=np.zeros(0, np.int32),
        mentor_start=np.zeros(0, np.int64),
        slots=slots,
        minimum=minimum,
        load=np.zeros(nodes, np.int32),
        price=np.where(minimum > 0, -bonus, 0).astype(np.int64),
        distance=np.zeros(nodes, np.int64),
        via=np.full(nodes, UNREACHED, np.int32),
        heap_index=np.full(nodes, UNREACHED, np.int32),
        heap=np.zeros(nodes, np.int32),
        reached=np.zeros(nodes, np.int32),
    )


def state_of(solved: Solved) -> State:
    """The state of a solved problem, with space for any number of slots, for searches in both directions."""
    problem = solved.problem
    arcs = np.bincount(problem.mentor, minlength=len(problem.mentor_slots))
    state = initial_state(problem, np.maximum(arcs, problem.mentor_slots).astype(np.int32))
    by_mentor = np.argsort(problem.mentor, kind="stable").astype(np.int32)
    start = np.concatenate([[0], np.cumsum(arcs)]).astype(np.int64)
    state = state._replace(by_mentor=by_mentor, mentor_start=start)
    take_many = kernel_function("take_many", len(problem.value))
    take_many(state, np.flatnonzero(solved.taken).astype(np.int32))
    state.price[:] = np.concatenate([solved.mentor_price, solved.learner_price])
    return state


def _order(problem: Problem) -> Int32Array:
    """The nodes of learners with slots and arcs, those with the highest value first: fewer of them move later."""
    starts = np.flatnonzero(np.diff(problem.learner, prepend=-1))  # arcs are in the order of learners
    if not len(starts):
        return np.zeros(0, np.int32)
    highest = np.maximum.reduceat(problem.value, starts)
    best_first = problem.learner[starts[np.argsort(-highest, kind="stable")]]
    best_first = best_first[problem.learner_slots[best_first] > 0]
    return (best_first + len(problem.mentor_slots)).astype(np.int32)


def _solved(problem: Problem, state: State, unfilled: Int32Array) -> Solved:
    mentors = state.mentors
    without_slots = (mentors + np.flatnonzero(problem.learner_slots == 0)).astype(np.int32)
    set_initial_prices = kernel_function("set_initial_prices", len(problem.value))
    set_initial_prices(state, np.concatenate([unfilled, without_slots]))
    prices = state.price[:mentors].copy(), state.price[mentors:].copy()
    return Solved(problem, state.taken, *prices, exact=not len(unfilled), bound=bound(problem, *prices))


def bound(problem: Problem, mentor_price: Int64Array, learner_price: Int64Array) -> int:
    """The dual bound: the price of all slots plus all positive reduced values. No plan is worth more."""
    reduced = problem.value - mentor_price[problem.mentor] - learner_price[problem.learner]
    sides = (
        (mentor_price, problem.mentor_slots, problem.mentor_minimum),
        (learner_price, problem.learner_slots, problem.learner_minimum),
    )
    bonus = problem.bonus
    slots_value = [
        int((np.maximum(price, 0) * (slots - minimum) + np.maximum(price + bonus, 0) * minimum).sum())
        for price, slots, minimum in sides
    ]
    return sum(slots_value) + int(np.maximum(reduced, 0).sum())


def warm_up() -> None:
    """Compile, or load from the disk cache, every kernel function that Python calls, with a plan of one pair."""
    if not can_compile():
        return
    compiled()
    one_slot, zero, learner = np.ones(1, np.int32), np.zeros(1, np.int32), np.int32(1)
    state = state_of(solve(Problem(zero, zero, np.ones(1, np.int64), one_slot, one_slot, zero, zero)))
    state.slots[learner] += 1
    kernel_function("change", 1)(state, learner, True)  # noqa: FBT003  positional for numba
    kernel_function("set_initial_price", 1)(state, learner)
    kernel_function("search", 1)(state, learner, True)  # noqa: FBT003  likewise
