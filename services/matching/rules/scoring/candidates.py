"""All possible pairs with their scores, or the best of each learner (top-k candidate generation)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.scoring.features import BoolArray, ClusterFeatures, Int64Array
from services.matching.rules.scoring.score_matrix import Points, ScoreMatrix, score_model

BATCH_PAIRS = 2**18
"""Pairs that are scored at once, so that their points fit into the processor's cache."""
GROUP_SIZE = 32
"""Mentors in a group; the best scores of groups give a lower limit for a learner's best scores."""
MAX_SCORE = 10_000
"""Highest score, in hundredths of a point."""


class CandidatePairs(NamedTuple):
    """Possible pairs with their scores, in the order of learner, then mentor; both are row numbers of the features.

    `best_unexamined` is, for each learner, the best score among its pairs that were left out; 0 if there are none.
    """

    mentor: NDArray[np.int32]
    learner: NDArray[np.int32]
    score: Int64Array
    best_unexamined: Int64Array


def candidate_pairs(
    features: ClusterFeatures,
    limit: int | None = None,
    *,
    mentors: BoolArray | None = None,
    learners: Int64Array | None = None,
) -> CandidatePairs:
    """All possible pairs, or for each learner the best `limit`; of equal scores the lower row numbers.

    Args:
        features: of the clusters.
        limit: number of pairs for each learner; all if None.
        mentors: whether each cluster may be the mentor; all if None.
        learners: row numbers in ascending order; all if None.
    """
    numbers = np.arange(len(features.profiles))
    mentor_numbers = numbers if mentors is None else np.flatnonzero(mentors)
    learner_numbers = numbers if learners is None else learners
    matrix = ScoreMatrix(score_model(features), mentor_numbers)
    batch_size = max(BATCH_PAIRS // max(len(mentor_numbers), 1), 1)
    none = np.zeros(0, dtype=np.int64)
    parts = [(none,) * 4]
    for begin in range(0, len(learner_numbers), batch_size):
        batch = learner_numbers[begin : begin + batch_size]
        row, column, score, best_unexamined = _best(matrix.scores(batch), limit)
        parts.append((mentor_numbers[column], batch[row], score, best_unexamined))
    mentor, learner, score, best_unexamined = map(np.concatenate, zip(*parts, strict=True))
    return CandidatePairs(mentor.astype(np.int32), learner.astype(np.int32), score, best_unexamined)


def _best(points: Points, limit: int | None) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """Rows, columns and scores of the best pairs, and for each row the best score of the other pairs."""
    height, width = points.shape
    floor = np.zeros((height, 1), dtype=np.int32) if limit is None else _floor(points, limit + 1)
    flat = np.flatnonzero(points >= floor)
    row, column = np.divmod(flat, max(width, 1))
    score = points.ravel()[flat].astype(np.int64)
    best_unexamined = np.zeros(height, dtype=np.int64)
    if limit is None:
        return row, column, score, best_unexamined
    # A unique rank within each row: the best score first, of equal scores the first column.
    rank = (MAX_SCORE - score) * width + column
    order = np.sort(row * (MAX_SCORE + 1) * width + rank)
    begin = np.searchsorted(row, np.arange(height))
    beyond = begin + limit
    truncated = np.flatnonzero(beyond < np.append(begin[1:], len(flat)))
    last = np.full(height, (MAX_SCORE + 1) * width)
    last[truncated] = order[beyond[truncated]] - truncated * (MAX_SCORE + 1) * width
    best_unexamined[truncated] = MAX_SCORE - last[truncated] // max(width, 1)
    selected = rank < last[row]
    return row[selected], column[selected], score[selected], best_unexamined


def _floor(points: Points, count: int) -> Points:
    """For each row a score that at least `count` pairs reach, and few more; 0 if fewer pairs are possible."""
    groups = points.shape[1] // GROUP_SIZE
    best = points
    if groups >= count:
        best = points[:, : groups * GROUP_SIZE].reshape(-1, GROUP_SIZE, groups).max(axis=1)
    if best.shape[1] < count:
        return np.zeros((len(points), 1), dtype=np.int32)
    nth = best.shape[1] - count
    return np.maximum(np.partition(best, nth, axis=1)[:, nth, None], 0)
