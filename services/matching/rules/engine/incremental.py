"""An incremental solver: after a change of the problem it repairs the plan and the prices.

A change adds or removes slots one by one; each is one cheapest path through the plan, after which plan and prices prove
each other again. Problems with minimum loads are not supported: their bonus depends on all slots, so that each change
would affect all of them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from services.matching.rules.engine.jit import kernel_function
from services.matching.rules.engine.kernel import INFINITY
from services.matching.rules.engine.problem import Int64Array, Problem, Solved
from services.matching.rules.engine.solve import bound, solve, state_of


class IncrementalSolver:
    """The best plan of a problem that changes.

    Args:
        problem: without minimum loads.

    Raises:
        ValueError: it has minimum loads, or its values are too large for exact sums.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.mentor_minimum.any() or problem.learner_minimum.any():
            raise ValueError("A problem with minimum loads cannot be solved incrementally.")
        self._mentors = len(problem.mentor_slots)
        self._change: Callable[..., Any] = kernel_function("change", len(problem.value))
        self._set_initial_price: Callable[..., Any] = kernel_function("set_initial_price", len(problem.value))
        self._problem = problem._replace(value=problem.value.copy())
        self._state = state_of(solve(self._problem))

    @property
    def mentor_price(self) -> Int64Array:
        """The current price of a slot of each mentor; a view that changes with the plan."""
        prices: Int64Array = self._state.price[: self._mentors]
        return prices

    def solved(self) -> Solved:
        """The current problem with its plan and certificate."""
        slots = self._state.slots.copy()
        problem = self._problem._replace(
            value=self._state.value.copy(),
            mentor_slots=slots[: self._mentors],
            learner_slots=slots[self._mentors :],
        )
        prices = self._state.price[: self._mentors].copy(), self._state.price[self._mentors :].copy()
        return Solved(problem, self._state.taken.copy(), *prices, exact=True, bound=bound(problem, *prices))

    def set_mentor_slots(self, mentor: int, slots: int) -> None:
        """Change the number of slots of a mentor."""
        self._set_slots(mentor, slots)

    def set_learner_slots(self, learner: int, slots: int) -> None:
        """Change the number of slots of a learner."""
        self._set_slots(self._mentors + learner, slots)

    def set_learner_values(self, learner: int, values: Int64Array) -> None:
        """Change the values of a learner's arcs, in their order.

        Raises:
            ValueError: the values are too large for exact sums.
        """
        begin, end = self._state.start[learner], self._state.start[learner + 1]
        _require_exact_sums(self._problem, values)
        slots = int(self._state.slots[self._mentors + learner])
        self.set_learner_slots(learner, 0)
        self._state.value[begin:end] = values
        self._set_initial_price(self._state, np.int32(self._mentors + learner))
        self.set_learner_slots(learner, slots)

    def _set_slots(self, node: int, slots: int) -> None:
        state, gains_outward = self._state, node >= self._mentors
        while state.slots[node] > slots:
            state.slots[node] -= 1
            if state.load[node] > state.slots[node]:
                self._change(state, np.int32(node), not gains_outward)
        while state.slots[node] < slots:
            state.slots[node] += 1
            if state.load[node] == state.slots[node] - 1:
                self._change(state, np.int32(node), gains_outward)


def _require_exact_sums(problem: Problem, values: Int64Array) -> None:
    slots = 1 + int(problem.mentor_slots.sum()) + int(problem.learner_slots.sum())
    if int(np.abs(values).max(initial=0)) * 8 * slots >= INFINITY:
        raise ValueError("The values of this problem are too large for exact sums.")
