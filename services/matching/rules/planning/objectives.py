"""Objectives as worths of pairs, so that one solver answers them all, each to the proven best.

- total: the worth of a pair is its score.
- pairs: each pair is worth more than all scores together, so that one more pair beats any total.
- fairest: stage by stage, each keeping to the best plans of those before it. As many learners as possible get a first
  mentor; as few as possible of these pairs score below the second lowest score there is, then below the third lowest,
  and so on, in whole points; then their total is the best. Then first pairs stand, and what places remain go to the
  best total.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.engine import Control, Problem, Solved, check, solve

Int64Array = NDArray[np.int64]
HUNDREDTHS_PER_POINT = 100
"""Hundredths in a point: fairness looks no closer."""
_ROOM = 2**59
"""What the worths of a stage may add up to, times the number of learners: far enough from the end of 64 bits."""


class Solution(NamedTuple):
    """The best plan by an objective: which of the problem's arcs it takes, and its proofs, one for each stage."""

    taken: NDArray[np.bool_]
    stages: tuple[Solved, ...]
    exact: bool


def solve_objective(problem: Problem, score: Int64Array, objective: str, control: Control) -> Solution:
    """The best plan of a problem whose `worth` is the score with what speaks for or against a pair added.

    Args:
        problem: arcs and places.
        score: of each arc, by which fairness compares.
        objective: total, pairs or fairest.
        control: told what share is done; says whether to stop.
    """
    if objective == "fairest":
        return _fairest(problem, score, control)
    if objective == "pairs":
        problem = problem._replace(worth=problem.worth + _above(problem, problem.worth))
    solved = _proved(problem, control)
    return Solution(solved.taken, (solved,), solved.exact)


def optimal_face(solved: Solved, worth: Int64Array) -> tuple[Problem, NDArray[np.intp]]:
    """The problem of choosing by `worth` among the best plans of a solved problem, and which of its arcs are left.

    By complementary slackness a plan is one of the best exactly if it takes no arc below its ends' prices and all arcs
    above, and fills the places that have a price. Each such part is made worth more than everything else.
    """
    problem, mentors, learners = solved.problem, solved.mentor_price, solved.learner_price
    reduced = problem.worth - mentors[problem.mentor] - learners[problem.learner]
    left = np.flatnonzero(reduced >= 0)
    pull = np.sign(mentors)[problem.mentor] + np.sign(learners)[problem.learner] + (reduced > 0)
    kept = problem._replace(mentor=problem.mentor[left], learner=problem.learner[left], worth=worth[left])
    return kept._replace(worth=kept.worth + _above(kept, kept.worth) * pull[left].astype(np.int64)), left


def _proved(problem: Problem, control: Control) -> Solved:
    solved = solve(problem, control)
    check(solved)
    return solved


def _above(problem: Problem, worth: Int64Array) -> int:
    """More than two plans can differ in worth."""
    most = min(int(problem.mentor_slots.sum()), int(problem.learner_slots.sum()), len(worth))
    return 1 + 2 * most * int(np.abs(worth).max(initial=0))


def _fairest(problem: Problem, score: Int64Array, control: Control) -> Solution:
    first = problem._replace(
        learner_slots=np.minimum(problem.learner_slots, 1), learner_minimum=np.minimum(problem.learner_minimum, 1)
    )
    worths = [*_thresholds(first, score), problem.worth]
    steps = len(worths) + 1
    current, arcs = first._replace(worth=worths[0]), np.arange(len(score))
    stages: list[Solved] = []
    for number, following in enumerate([*worths[1:], None]):
        stages.append(_proved(current, _part(control, number, steps)))
        if not stages[-1].exact or following is None:
            break
        current, left = optimal_face(stages[-1], following[arcs])
        arcs = arcs[left]
    taken = np.zeros(len(score), dtype=np.bool_)
    taken[arcs[stages[-1].taken]] = True
    if not stages[-1].exact:
        return Solution(taken, tuple(stages), exact=False)
    more = _proved(_rest(problem, taken), _part(control, steps - 1, steps))
    taken[np.flatnonzero(~taken)[more.taken]] = True
    return Solution(taken, (*stages, more), more.exact)


def _thresholds(problem: Problem, score: Int64Array) -> Iterator[Int64Array]:
    """What a first pair is worth at each stage: one for each of some thresholds that it reaches, the lowest first.

    As many thresholds as 64 bits hold share a stage, each counting more than all above it together.
    """
    points = score // HUNDREDTHS_PER_POINT
    learners = int((problem.learner_slots > 0).sum())
    base = max(learners, 1) + 1
    group = 1
    while base ** (group + 4) < _ROOM:
        group += 1
    levels = np.unique(points)
    for begin in range(0, len(levels), group):
        worth = np.zeros(len(points), dtype=np.int64)
        for level in levels[begin : begin + group]:
            worth = worth * base + (points >= level)
        yield worth


def _rest(problem: Problem, taken: NDArray[np.bool_]) -> Problem:
    """What is left to decide when the taken arcs stand."""
    mentors = np.bincount(problem.mentor[taken], minlength=len(problem.mentor_slots)).astype(np.int32)
    learners = np.bincount(problem.learner[taken], minlength=len(problem.learner_slots)).astype(np.int32)
    return Problem(
        problem.mentor[~taken],
        problem.learner[~taken],
        problem.worth[~taken],
        problem.mentor_slots - mentors,
        problem.learner_slots - learners,
        np.maximum(problem.mentor_minimum - mentors, 0),
        np.maximum(problem.learner_minimum - learners, 0),
    )


def _part(control: Control, number: int, parts: int) -> Control:
    """The control of one part of the way."""
    return lambda done: control((number + done) / parts)
