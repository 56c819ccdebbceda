"""All possible pairs with their scores, or the best of each learner."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.scoring.features import BoolArray, ClusterFeatures, Int64Array
from services.matching.rules.scoring.score_matrix import Points, ScoreMatrix, score_model

BATCH_PAIRS = 2**18
"""Pairs that are scored at once: what lies near the processor is added up quickest."""
GROUP_SIZE = 32
"""Mentors whose best is looked at first, to know which scores are too low to be among a learner's best."""
MAX_SCORE = 10_000
"""Hundredths of a point that a score has at most."""


class CandidatePairs(NamedTuple):
    """The possible pairs with their scores, in the order of learner, then mentor; both by their number in the table.

    `cut` is, for each learner, the best score among its pairs that were left out.
    """

    mentor: NDArray[np.int32]
    learner: NDArray[np.int32]
    score: Int64Array
    best_unexamined: Int64Array


def candidate_pairs(
    table: ClusterFeatures,
    top: int | None = None,
    *,
    mentors: BoolArray | None = None,
    learners: Int64Array | None = None,
) -> CandidatePairs:
    """All possible pairs, or for each learner the `top` best, of equal ones those that come first.

    Args:
        table: the clusters.
        top: how many of a learner's pairs.
        mentors: who may be the mentor; anybody if left out.
        learners: whose pairs, by their numbers in order; everybody's if left out.
    """
    numbers = np.arange(len(table.profiles))
    teach = numbers if mentors is None else np.flatnonzero(mentors)
    learn = numbers if learners is None else learners
    over, rows = ScoreMatrix(score_model(table), teach), max(BATCH_PAIRS // max(len(teach), 1), 1)
    none = np.zeros(0, dtype=np.int64)
    parts = [(none,) * 4]
    for begin in range(0, len(learn), rows):
        some = learn[begin : begin + rows]
        row, column, points, best_unexamined = _kept(over.scores(some), top)
        parts.append((teach[column], some[row], points, best_unexamined))
    mentor, learner, points, best_unexamined = map(np.concatenate, zip(*parts, strict=True))
    return CandidatePairs(mentor.astype(np.int32), learner.astype(np.int32), points, best_unexamined)


def _kept(points: Points, top: int | None) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """Rows, columns and scores of what stays, and for each row the best of what does not."""
    height, width = points.shape
    least = np.zeros((height, 1), dtype=np.int32) if top is None else _least(points, top + 1)
    flat = np.flatnonzero(points >= least)
    row, column = np.divmod(flat, max(width, 1))
    score = points.ravel()[flat].astype(np.int64)
    best_unexamined = np.zeros(height, dtype=np.int64)
    if top is None:
        return row, column, score, best_unexamined
    # The best first, of equal ones the first column: a number that no two of a row have in common.
    rank = (MAX_SCORE - score) * width + column
    order = np.sort(row * (MAX_SCORE + 1) * width + rank)
    begin = np.searchsorted(row, np.arange(height))
    behind = begin + top
    more = np.flatnonzero(behind < np.append(begin[1:], len(flat)))
    last = np.full(height, (MAX_SCORE + 1) * width)
    last[more] = order[behind[more]] - more * (MAX_SCORE + 1) * width
    best_unexamined[more] = MAX_SCORE - last[more] // max(width, 1)
    stay = rank < last[row]
    return row[stay], column[stay], score[stay], best_unexamined


def _least(points: Points, count: int) -> Points:
    """A score that at least `count` of each row reach, and not many more; 0 where fewer are possible."""
    groups = points.shape[1] // GROUP_SIZE
    best = points
    if groups >= count:
        best = points[:, : groups * GROUP_SIZE].reshape(-1, GROUP_SIZE, groups).max(axis=1)
    if best.shape[1] < count:
        return np.zeros((len(points), 1), dtype=np.int32)
    nth = best.shape[1] - count
    return np.maximum(np.partition(best, nth, axis=1)[:, nth, None], 0)
