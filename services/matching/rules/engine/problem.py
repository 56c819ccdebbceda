"""The solver's input and output as arrays."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]


class Problem(NamedTuple):
    """Possible pairs (arcs) with their values, and the slots of both sides; each pair is taken at most once.

    Arcs are distinct and in the order of learner, then mentor; the plan depends on nothing else. Minimum loads, at most
    the slots, are met first, as far as possible.

    Attributes:
        mentor: of each arc, int32.
        learner: of each arc, int32.
        value: of each arc, int64.
        mentor_slots: of each mentor, int32.
        learner_slots: of each learner, int32.
        mentor_minimum: the minimum load of each mentor, int32.
        learner_minimum: the minimum load of each learner, int32.
    """

    mentor: Int32Array
    learner: Int32Array
    value: Int64Array
    mentor_slots: Int32Array
    learner_slots: Int32Array
    mentor_minimum: Int32Array
    learner_minimum: Int32Array

    @property
    def bonus(self) -> int:
        """What a pair that meets a minimum load counts in addition: more than all values, even with one more slot.

        Raises:
            ValueError: the values are too large for exact sums in 64 bits.
        """
        pairs = min(len(self.value), 1 + int(self.mentor_slots.sum()), 1 + int(self.learner_slots.sum()))
        spread = 2 * pairs * int(np.abs(self.value).max(initial=0)) + 1
        needed = int(self.mentor_minimum.sum()) + int(self.learner_minimum.sum())
        if spread * (2 * needed + 4) >= 2**62:
            raise ValueError("The values of this problem are too large for exact sums.")
        return spread if needed else 0


class Solved(NamedTuple):
    """A problem with a plan and the dual prices that bound it.

    Attributes:
        problem: the problem that was solved.
        taken: of each arc, whether it is in the plan.
        mentor_price: of a slot of each mentor; negative where a minimum load needs pairs that are worth less.
        learner_price: of a slot of each learner; likewise.
        exact: whether no plan is better.
        bound: an upper bound of the value of any plan, bonuses included.
    """

    problem: Problem
    taken: NDArray[np.bool_]
    mentor_price: Int64Array
    learner_price: Int64Array
    exact: bool
    bound: int


class Control(Protocol):
    """Observes a solver and can stop it."""

    def __call__(self, done: float, /) -> bool:
        """Called with the share that is done (0 to 1); if it returns True, the solver returns the best plan so far."""


def NEVER_STOP(_done: float, /) -> bool:  # noqa: N802  a constant that is called
    """The control that never stops."""
    return False
