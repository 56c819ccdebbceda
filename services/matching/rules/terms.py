"""The terms of a score. Each is a share of its weight: a part of a whole, both whole numbers, for all pairs at once.

A term without data is neutral: half its weight, and said. A new term is one function here, its sentence in
`sentences`, and its weight in the criteria.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.table import Block, Flags, Table

FAR_KM = 3000
"""From here on a pair is as far apart as can be."""
BALANCE = 3
"""By how many mentorships given more than taken, or less, reciprocity counts."""
MOST_LANGUAGES = 2


class Share(NamedTuple):
    """What part of the weight each pair gets, mentors by learners; where it is not `known`, half of it.

    Whole numbers, if not always in type. What is the same for all mentors, or all learners, is there once.
    """

    part: NDArray[Any]
    whole: NDArray[Any] | int
    known: Flags | None = None


def knowledge(table: Table, block: Block) -> Share:
    """Levels nearer to the learner's targets, times their priorities, of all that it is short of."""
    lifted = table.above[block.mentors] @ table.wanted[block.learners].T
    whole = (table.gaps * table.priorities)[block.learners].sum(axis=1)[None, :]
    return Share(lifted, np.maximum(whole, 1), whole > 0)


def requests(table: Table, block: Block) -> Share:
    """The urgency of the requests that the mentor can answer, of all the learner's; nothing if it has none."""
    answered = table.above[block.mentors] @ table.asked[block.learners].T
    return Share(answered, np.maximum(table.urgencies[block.learners].sum(axis=1), 1)[None, :])


def ecosystems(table: Table, block: Block) -> Share:
    """Ecosystems of both, of all that either works in."""
    mine, theirs = table.ecosystems[block.mentors], table.ecosystems[block.learners]
    common = mine @ theirs.T
    union = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - common
    known = np.logical_and.outer(mine.any(axis=1), theirs.any(axis=1))
    return Share(common, np.maximum(union, 1), known)


def cross_border(table: Table, block: Block) -> Share:
    """All or nothing."""
    return Share(table.country[block.mentors][:, None] != table.country[block.learners][None, :], 1)


def value_chain(table: Table, block: Block) -> Share:
    """Stages of the mentor that the learner lacks, of the mentor's."""
    mine, theirs = table.stages[block.mentors], table.stages[block.learners]
    known = np.logical_and.outer(mine.any(axis=1), theirs.any(axis=1))
    whole = np.maximum(mine.sum(axis=1), 1)[:, None]
    return Share(mine.sum(axis=1)[:, None] - mine @ theirs.T, whole, known)


def languages(table: Table, block: Block) -> Share:
    """One language in common is half, two are all."""
    common = table.languages[block.mentors] @ table.languages[block.learners].T
    return Share(np.minimum(common, MOST_LANGUAGES), MOST_LANGUAGES)


def record(table: Table, block: Block) -> Share:
    """The mean of past outcomes and of what is assumed of nobody in particular (Bayesian mean)."""
    prior = table.criteria.record
    counts, sums = (column[block.mentors][:, None] for column in table.outcomes)
    return Share(prior.prior * prior.strength + sums, 100 * (prior.strength + counts), counts > 0)


def reciprocity(table: Table, block: Block) -> Share:
    """A learner that has given three mentorships more than it took gets all, one that took three more nothing."""
    given, taken = (column[block.learners][None, :] for column in table.exchanged)
    return Share(np.clip(given - taken, -BALANCE, BALANCE) + BALANCE, 2 * BALANCE, given + taken > 0)


def novelty(table: Table, block: Block) -> Share:
    """All for two who have not been paired before, either way round."""
    before = table.history.paired
    return Share(~table.pairs({*before, *((other, one) for one, other in before)}, block), 1)


def travel(table: Table, block: Block) -> Share:
    """All at no distance, nothing from 3,000 km on."""
    far = table.apart[np.ix_(table.country[block.mentors], table.country[block.learners])]
    return Share(np.maximum(FAR_KM - far, 0), FAR_KM, far >= 0)


TERMS: dict[str, Callable[[Table, Block], Share]] = {
    "knowledge": knowledge,
    "requests": requests,
    "ecosystems": ecosystems,
    "cross_border": cross_border,
    "value_chain": value_chain,
    "languages": languages,
    "record": record,
    "reciprocity": reciprocity,
    "novelty": novelty,
    "travel": travel,
}
"""Every term by the name of its weight."""
