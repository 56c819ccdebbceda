"""A solved problem that is kept, so that one change of it is repaired and not solved anew.

A change frees or takes places one by one; each is one cheapest way through the plan, after which plan and prices prove
each other as before. Minimum loads would make each change one of the whole (their bonus depends on all places), so a
problem that has any is solved anew instead.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from services.matching.rules.engine.kernel import FAR
from services.matching.rules.engine.problem import Int64Array, Problem, Solved
from services.matching.rules.engine.solve import bound, kernel_function, solve, state_of


class IncrementalSolver:
    """The best plan of a problem that changes.

    Args:
        problem: without minimum loads.

    Raises:
        ValueError: it has minimum loads, or its worths are too large to be added up exactly.
    """

    def __init__(self, problem: Problem) -> None:
        if problem.mentor_minimum.any() or problem.learner_minimum.any():
            raise ValueError("A problem with minimum loads is solved anew after a change.")
        self._mentors = len(problem.mentor_slots)
        self._change: Callable[..., Any] = kernel_function("change", len(problem.worth))
        self._lowest: Callable[..., Any] = kernel_function("initial_price", len(problem.worth))
        self._problem = problem._replace(worth=problem.worth.copy())
        solved = solve(self._problem)
        self._state = state_of(solved)

    @property
    def mentor_price(self) -> Int64Array:
        """What a place with each mentor is worth now; not to be kept, since it changes."""
        prices: Int64Array = self._state.price[: self._mentors]
        return prices

    def solved(self) -> Solved:
        """The plan as it is now, with its proof."""
        places = self._state.places.copy()
        problem = self._problem._replace(
            worth=self._state.worth.copy(),
            mentor_slots=places[: self._mentors],
            learner_slots=places[self._mentors :],
        )
        prices = self._state.price[: self._mentors].copy(), self._state.price[self._mentors :].copy()
        return Solved(problem, self._state.taken.copy(), *prices, exact=True, bound=bound(problem, *prices))

    def set_mentor_slots(self, mentor: int, places: int) -> None:
        """Give a mentor another number of places."""
        self._places(mentor, places)

    def set_learner_slots(self, learner: int, places: int) -> None:
        """Give a learner another number of places."""
        self._places(self._mentors + learner, places)

    def learner_worths(self, learner: int, worths: Int64Array) -> None:
        """Let a learner's arcs, in their order, be worth something else.

        Raises:
            ValueError: 64 bits do not hold what all could add up to.
        """
        begin, end = self._state.start[learner], self._state.start[learner + 1]
        _fitting(self._problem, worths)
        places = int(self._state.places[self._mentors + learner])
        self.set_learner_slots(learner, 0)
        self._state.worth[begin:end] = worths
        self._lowest(self._state, np.int32(self._mentors + learner))
        self.set_learner_slots(learner, places)

    def _places(self, node: int, places: int) -> None:
        state, more = self._state, node >= self._mentors  # the direction in which a node gets a pair
        while state.places[node] > places:
            state.places[node] -= 1
            if state.load[node] > state.places[node]:
                self._change(state, np.int32(node), not more)
        while state.places[node] < places:
            state.places[node] += 1
            if state.load[node] == state.places[node] - 1:
                self._change(state, np.int32(node), more)


def _fitting(problem: Problem, worths: Int64Array) -> None:
    most = 1 + int(problem.mentor_slots.sum()) + int(problem.learner_slots.sum())
    if int(np.abs(worths).max(initial=0)) * 8 * most >= FAR:
        raise ValueError("The worths of this problem are too large to be added up exactly.")
