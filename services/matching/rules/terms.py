"""The terms of a score. Each is a share of its weight: a part of a whole, both whole numbers, for all pairs at once.

A term without data is neutral: half its weight, and said. A new term is one function here, its sentence in
`sentences`, and its weight in the criteria.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.matching.rules.distance import kilometres
from services.matching.rules.table import Block, Flags, Table, Whole

FAR_KM = 3000
"""From here on a pair is as far apart as can be."""
BALANCE = 3
"""By how many mentorships given more than taken, or less, reciprocity counts."""
MOST_LANGUAGES = 2


class Share(NamedTuple):
    """What part of the weight each pair gets, mentors by learners; where `known` is false, half of it."""

    part: Whole
    whole: Whole
    known: Flags


def share(part: NDArray[Any], whole: Whole | int, known: Flags | None = None) -> Share:
    """In the shape of a share, with half where it is not known."""
    wholes = np.asarray(whole, dtype=np.int64)
    sure = np.ones((1, 1), dtype=np.bool_) if known is None else known
    parts, wholes, sure = np.broadcast_arrays(np.rint(part).astype(np.int64), wholes, sure)
    return Share(np.where(sure, parts, 1), np.where(sure, wholes, 2), sure)


def knowledge(table: Table, block: Block) -> Share:
    """Levels nearer to the learner's targets, times their priorities, of all that it is short of."""
    lifted = table.above[block.mentors] @ table.wanted[block.learners].T
    whole = (table.gaps * table.priorities)[block.learners].sum(axis=1)[None, :]
    return share(lifted, np.maximum(whole, 1), whole > 0)


def requests(table: Table, block: Block) -> Share:
    """The urgency of the requests that the mentor can answer, of all the learner's; nothing if it has none."""
    answered = table.above[block.mentors] @ table.asked[block.learners].T
    return share(answered, np.maximum(table.urgencies[block.learners].sum(axis=1), 1)[None, :])


def ecosystems(table: Table, block: Block) -> Share:
    """Ecosystems of both, of all that either works in."""
    mine, theirs = table.ecosystems[block.mentors], table.ecosystems[block.learners]
    common = mine @ theirs.T
    union = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - common
    known = np.logical_and.outer(mine.any(axis=1), theirs.any(axis=1))
    return share(common, np.maximum(union, 1).astype(np.int64), known)


def cross_border(table: Table, block: Block) -> Share:
    """All or nothing."""
    return share(table.countries[block.mentors][:, None] != table.countries[block.learners][None, :], 1)


def value_chain(table: Table, block: Block) -> Share:
    """Stages of the mentor that the learner lacks, of the mentor's."""
    mine, theirs = table.stages[block.mentors], table.stages[block.learners]
    known = np.logical_and.outer(mine.any(axis=1), theirs.any(axis=1))
    whole = np.maximum(mine.sum(axis=1), 1).astype(np.int64)[:, None]
    return share(mine.sum(axis=1)[:, None] - mine @ theirs.T, whole, known)


def languages(table: Table, block: Block) -> Share:
    """One language in common is half, two are all."""
    common = table.languages[block.mentors] @ table.languages[block.learners].T
    return share(np.minimum(common, MOST_LANGUAGES), MOST_LANGUAGES)


def record(table: Table, block: Block) -> Share:
    """The mean of past outcomes and of what is assumed of nobody in particular (Bayesian mean)."""
    prior = table.criteria.record
    past = [one.record for one in table.profiles[block.mentors]]
    counts = np.array([len(one) for one in past], dtype=np.int64)[:, None]
    sums = np.array([sum(one) for one in past], dtype=np.int64)[:, None]
    learners = len(table.profiles[block.learners])
    part = np.broadcast_to(prior.prior * prior.strength + sums, (len(past), learners))
    return share(part, 100 * (prior.strength + counts), counts > 0)


def reciprocity(table: Table, block: Block) -> Share:
    """A learner that has given three mentorships more than it took gets all, one that took three more nothing."""
    theirs = table.profiles[block.learners]
    balance = np.array([min(max(one.given - one.taken, -BALANCE), BALANCE) for one in theirs], dtype=np.int64)
    known = np.array([one.given + one.taken > 0 for one in theirs], dtype=np.bool_)
    mentors = len(table.profiles[block.mentors])
    return share(np.broadcast_to(balance + BALANCE, (mentors, len(theirs))), 2 * BALANCE, known[None, :])


def novelty(table: Table, block: Block) -> Share:
    """All for two who have not been paired before, either way round."""
    before = table.history.paired
    return share(~table.pairs({*before, *((other, one) for one, other in before)}, block), 1)


def travel(table: Table, block: Block) -> Share:
    """All at no distance, nothing from 3,000 km on."""
    mine, theirs = table.countries[block.mentors], table.countries[block.learners]
    found = {
        (one, other): kilometres(one, other)
        for one in sorted(set(mine.tolist()))
        for other in sorted(set(theirs.tolist()))
    }
    far = np.array([[found[one, other] if found[one, other] is not None else -1 for other in theirs] for one in mine])
    far = far.reshape(len(mine), len(theirs)).astype(np.int64)
    return share(np.maximum(FAR_KM - far, 0), FAR_KM, far >= 0)


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
