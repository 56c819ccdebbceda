"""Objectives as values of pairs, so that the same solver gives the proven optimum of each.

- total: the value of a pair is its score.
- pairs: a constant is added to each value, larger than any possible difference of totals, so that one more pair is
  better than any total.
- fairest: lexicographic, in stages that each keep to the optimal plans of the stage before. First as many learners as
  possible get a first mentor; then as few of these pairs as possible score below the second lowest score, then below
  the third lowest, and so on, in whole points; then their total is maximal. These first pairs are fixed, and the
  remaining slots are filled by the best total.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Control, Problem, Solved, check, solve

Int64Array = NDArray[np.int64]
HUNDREDTHS_PER_POINT = 100
"""Fairness compares whole points."""
_MAX_STAGE_VALUE = 2**59
"""Limit of the value of a pair in a stage times the number of learners, so that sums fit into 64 bits."""


class Solution(NamedTuple):
    """The best plan by an objective.

    Attributes:
        taken: whether the plan takes each arc of the problem.
        stages: the solved problem of each stage, with its certificate.
        exact: whether no plan is better.
    """

    taken: NDArray[np.bool_]
    stages: tuple[Solved, ...]
    exact: bool


def solve_objective(problem: Problem, score: Int64Array, objective: str, control: Control) -> Solution:
    """The best plan by an objective.

    Args:
        problem: its values are the scores with reserve and move prices.
        score: of each arc; fairness compares scores.
        objective: total, pairs or fairest.
        control: called with the share that is done; True stops.
    """
    if objective == "fairest":
        return _solve_fairest(problem, score, control)
    if objective == "pairs":
        problem = problem._replace(value=problem.value + _dominating(problem, problem.value))
    solved = _solve_and_check(problem, control)
    return Solution(solved.taken, (solved,), solved.exact)


def optimal_face(solved: Solved, value: Int64Array) -> tuple[Problem, NDArray[np.intp]]:
    """The problem of maximising `value` among the optimal plans of a solved problem, and the arcs that remain in it.

    By complementary slackness a plan is optimal exactly if it takes no arc of negative reduced value and all of
    positive reduced value, and fills the slots that have a price. Each of these conditions gets a value that dominates
    all of `value`.
    """
    problem, mentors, learners = solved.problem, solved.mentor_price, solved.learner_price
    reduced = problem.value - mentors[problem.mentor] - learners[problem.learner]
    arcs = np.flatnonzero(reduced >= 0)
    conditions = np.sign(mentors)[problem.mentor] + np.sign(learners)[problem.learner] + (reduced > 0)
    face = problem._replace(mentor=problem.mentor[arcs], learner=problem.learner[arcs], value=value[arcs])
    return face._replace(value=face.value + _dominating(face, face.value) * conditions[arcs].astype(np.int64)), arcs


def _solve_and_check(problem: Problem, control: Control) -> Solved:
    solved = solve(problem, control)
    check(solved)
    return solved


def _dominating(problem: Problem, value: Int64Array) -> int:
    """A number larger than the difference of any two plans in `value`."""
    pairs = min(int(problem.mentor_slots.sum()), int(problem.learner_slots.sum()), len(value))
    return 1 + 2 * pairs * int(np.abs(value).max(initial=0))


def _solve_fairest(problem: Problem, score: Int64Array, control: Control) -> Solution:
    first_pairs = problem._replace(
        learner_slots=np.minimum(problem.learner_slots, 1), learner_minimum=np.minimum(problem.learner_minimum, 1)
    )
    values = [*_stage_values(first_pairs, score), problem.value]
    steps = len(values) + 1
    current, arcs = first_pairs._replace(value=values[0]), np.arange(len(score))
    stages: list[Solved] = []
    for number, next_value in enumerate([*values[1:], None]):
        stages.append(_solve_and_check(current, _stage_control(control, number, steps)))
        if not stages[-1].exact or next_value is None:
            break
        current, remaining = optimal_face(stages[-1], next_value[arcs])
        arcs = arcs[remaining]
    taken = np.zeros(len(score), dtype=np.bool_)
    taken[arcs[stages[-1].taken]] = True
    if not stages[-1].exact:
        return Solution(taken, tuple(stages), exact=False)
    last = _solve_and_check(_remaining(problem, taken), _stage_control(control, steps - 1, steps))
    taken[np.flatnonzero(~taken)[last.taken]] = True
    return Solution(taken, (*stages, last), last.exact)


def _stage_values(problem: Problem, score: Int64Array) -> Iterator[Int64Array]:
    """The values of first pairs in each stage: a digit for each threshold that the score reaches, the lowest first.

    A stage has as many thresholds as fit into 64 bits; each counts more than all higher ones together.
    """
    points = score // HUNDREDTHS_PER_POINT
    learners = int((problem.learner_slots > 0).sum())
    base = max(learners, 1) + 1
    digits = 1
    while base ** (digits + 4) < _MAX_STAGE_VALUE:
        digits += 1
    thresholds = np.unique(points)
    for begin in range(0, len(thresholds), digits):
        value = np.zeros(len(points), dtype=np.int64)
        for threshold in thresholds[begin : begin + digits]:
            value = value * base + (points >= threshold)
        yield value


def _remaining(problem: Problem, taken: NDArray[np.bool_]) -> Problem:
    """The problem of the arcs that are not taken, with the slots that the taken ones leave."""
    mentors = np.bincount(problem.mentor[taken], minlength=len(problem.mentor_slots)).astype(np.int32)
    learners = np.bincount(problem.learner[taken], minlength=len(problem.learner_slots)).astype(np.int32)
    return Problem(
        problem.mentor[~taken],
        problem.learner[~taken],
        problem.value[~taken],
        problem.mentor_slots - mentors,
        problem.learner_slots - learners,
        np.maximum(problem.mentor_minimum - mentors, 0),
        np.maximum(problem.learner_minimum - learners, 0),
    )


def _stage_control(control: Control, number: int, stages: int) -> Control:
    """The control of one stage: its progress as a part of the whole."""
    return lambda done: control((number + done) / stages)
