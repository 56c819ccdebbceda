"""The score of a mentor for a learner: a sum of terms in hundredths of a point, each with its reason in a sentence.

All pairs are scored at once in numbers; one pair's score with its sentences is made of the same numbers.
"""

from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.hard import RULES
from services.matching.rules.sentences import SENTENCES
from services.matching.rules.table import Block, Flags, Table, Whole
from services.matching.rules.terms import TERMS, Share

CELLS = 2**17
"""Pairs that are scored at once: what lies near the processor is added up quickest."""


class Term(NamedTuple):
    """One term of a score; where `known` is false there is no data, and it counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class Score(NamedTuple):
    """A score and what it is made of; `total` is the sum of the terms."""

    total: int
    terms: tuple[Term, ...]


class Excluded(NamedTuple):
    """The pair is not possible: by which rule, and why."""

    rule: str
    reason: str


class Worths(NamedTuple):
    """The possible pairs with their scores, in the order of learner, then mentor; both by their number in the table.

    `cut` is, for each learner, the best score among its pairs that were left out.
    """

    mentor: NDArray[np.int32]
    learner: NDArray[np.int32]
    score: Whole
    cut: Whole


def score(table: Table, mentor_id: UUID, learner_id: UUID) -> Score | Excluded:
    """The score of a pair, or why it cannot be.

    Raises:
        KeyError: the table has no such cluster.
    """
    block, (mentor, learner) = _block(table, mentor_id, learner_id)
    for name, rule in RULES.items():
        if rule.excludes(table, block)[0, 0]:
            return Excluded(name, rule.reason(table.profiles[mentor], table.profiles[learner], table))
    return score_anyway(table, mentor_id, learner_id)


def score_anyway(table: Table, mentor_id: UUID, learner_id: UUID) -> Score:
    """The score of a pair that is there already, whatever the rules say."""
    block, (mentor, learner) = _block(table, mentor_id, learner_id)
    terms = []
    for name, share in TERMS.items():
        given = share(table, block)
        known = given.known is None or bool(given.known[0, 0])
        reason = SENTENCES[name](table.profiles[mentor], table.profiles[learner], table)
        terms.append(Term(name, int(_hundredths(table, name, given)[0, 0]), reason, known))
    return Score(sum(term.hundredths for term in terms), tuple(terms))


def worths(
    table: Table, top: int | None = None, *, mentors: Flags | None = None, learners: Whole | None = None
) -> Worths:
    """All possible pairs, or for each learner the `top` best, of equal ones those that come first.

    Args:
        table: the clusters.
        top: how many of a learner's pairs.
        mentors: who may be the mentor; anybody if left out.
        learners: whose pairs, by their numbers in order; everybody's if left out.
    """
    numbers = np.arange(len(table.profiles))
    teach = slice(0, len(numbers)) if mentors is None else np.flatnonzero(mentors)
    learn = numbers if learners is None else learners
    rows = max(CELLS // max(len(numbers[teach]), 1), 1)
    parts = [_part(table, Block(teach, learn[begin : begin + rows]), top) for begin in range(0, len(learn), rows)]
    none = np.zeros(0, dtype=np.int64)
    mentor, learner, points, cut = (
        (np.concatenate([none, *column]) for column in zip(*parts, strict=True)) if parts else (none,) * 4
    )
    return Worths(mentor.astype(np.int32), learner.astype(np.int32), points, cut)


def possible(table: Table, block: Block) -> Flags:
    """Which pairs of a block no rule excludes."""
    excluded = np.zeros((len(table.country[block.mentors]), len(table.country[block.learners])), dtype=np.bool_)
    for rule in RULES.values():
        excluded |= rule.excludes(table, block)
    return ~excluded


def totals(table: Table, block: Block) -> Whole:
    """The scores of all pairs of a block, mentors by learners."""
    points = np.zeros((len(table.country[block.mentors]), len(table.country[block.learners])))
    for name, share in TERMS.items():
        points += _hundredths(table, name, share(table, block))
    return points.astype(np.int64)


def _hundredths(table: Table, name: str, share: Share) -> NDArray[np.float64]:
    """As `Weights.hundredths` for one pair, in floating point, which divides many numbers four times as fast.

    It is exact: both numbers are below 2**53, and a quotient that is not whole is further from the next whole, by one
    part of the divisor (below 2**34), than rounding reaches (half of 2**-39 for quotients up to 10,000).
    """
    weights = table.criteria.weights
    points: NDArray[np.float64] = np.floor(
        share.part * (10_000.0 * int(getattr(weights, name))) / (share.whole * float(weights.whole))
    )
    return points if share.known is None else np.where(share.known, points, weights.hundredths(name, 1, 2))


def _block(table: Table, mentor_id: UUID, learner_id: UUID) -> tuple[Block, tuple[int, int]]:
    mentor, learner = table.number[mentor_id], table.number[learner_id]
    return Block(slice(mentor, mentor + 1), slice(learner, learner + 1)), (mentor, learner)


def _part(table: Table, block: Block, top: int | None) -> tuple[Whole, Whole, Whole, Whole]:
    """The pairs of some learners: mentors, learners, scores; and what was left out of each learner."""
    points = np.where(possible(table, block), totals(table, block), -1).T
    cut = np.zeros(len(points), dtype=np.int64)
    if top is not None and points.shape[1] > top:
        points, cut = _best(points, top)
    learner, mentor = np.nonzero(points >= 0)
    numbers = np.arange(len(table.profiles))
    return numbers[block.mentors][mentor], numbers[block.learners][learner], points[learner, mentor], cut


def _best(points: Whole, top: int) -> tuple[Whole, Whole]:
    """Only the best of each row left, the others at -1; and the best of those that were left out (0 if none)."""
    width = points.shape[1]
    # Unequal by the column, so that which of equal ones stay is no accident.
    ranked = points * width + np.arange(width - 1, -1, -1)
    last = np.partition(ranked, width - top, axis=1)[:, width - top, None]
    out = np.where(ranked < last, points, -1)
    return np.where(ranked >= last, points, -1), np.maximum(out.max(axis=1), 0)
