"""The solver's question and answer in numbers: who can be paired, what each pair is worth, how many places."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]


class Problem(NamedTuple):
    """Arcs with what they are worth, and both sides' places; a pair is taken once at most.

    Arcs are distinct and in the order of learner, then mentor: the answer depends on nothing else. Minimum loads
    (`least`, at most the places) are met first, as far as there is a way.

    Attributes:
        mentor: of each arc, int32.
        learner: of each arc, int32.
        worth: of each arc, int64.
        mentor_places: of each mentor, int32.
        learner_places: of each learner, int32.
        mentor_least: of each mentor, int32.
        learner_least: of each learner, int32.
    """

    mentor: Int32Array
    learner: Int32Array
    worth: Int64Array
    mentor_slots: Int32Array
    learner_slots: Int32Array
    mentor_minimum: Int32Array
    learner_minimum: Int32Array

    @property
    def bonus(self) -> int:
        """What a pair that a minimum load needs counts beside its worth: more than all else, were there one more place.

        Raises:
            ValueError: 64 bits do not hold what all could add up to.
        """
        most = min(len(self.worth), 1 + int(self.mentor_slots.sum()), 1 + int(self.learner_slots.sum()))
        spread = 2 * most * int(np.abs(self.worth).max(initial=0)) + 1
        needed = int(self.mentor_minimum.sum()) + int(self.learner_minimum.sum())
        if spread * (2 * needed + 4) >= 2**62:
            raise ValueError("The worths of this problem are too large to be added up exactly.")
        return spread if needed else 0


class Solved(NamedTuple):
    """A plan and the prices that prove how good it is.

    Attributes:
        problem: what was asked.
        taken: whether each arc is in the plan.
        mentor_price: of a place with each mentor; below 0 where a minimum load asks for pairs that are worth less.
        learner_price: likewise.
        exact: whether no plan is better.
        bound: no plan is worth more than this, minimum loads counted in.
    """

    problem: Problem
    taken: NDArray[np.bool_]
    mentor_price: Int64Array
    learner_price: Int64Array
    exact: bool
    bound: int


class Control(Protocol):
    """Watches a solver and stops it."""

    def __call__(self, done: float, /) -> bool:
        """Told what share (0 to 1) is done; True stops, and the best plan so far is given."""


def NEVER_STOP(_done: float, /) -> bool:  # noqa: N802  a constant that is called
    """Never stop."""
    return False
