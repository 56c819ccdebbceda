"""The terms of a score: what share of its weight each pair gets, for all pairs at once.

A term without data is neutral: half its weight, and said. A new term is one function here, its sentence in
`sentences`, and its weight in the criteria.
"""

from collections.abc import Callable

import numpy as np

from services.matching.rules.scoring.features import Table
from services.matching.rules.scoring.term_shapes import ByKind, ByLift, ByPair, Form

FAR_KM = 3000
"""From here on a pair is as far apart as can be."""
BALANCE = 3
"""By how many mentorships given more than taken, or less, reciprocity counts."""
MOST_LANGUAGES = 2


def knowledge(table: Table) -> ByLift:
    """Levels nearer to the learner's targets, times their priorities, of all that it is short of."""
    whole = (table.gaps * table.priorities).sum(axis=1)
    return ByLift(table.above, table.wanted, np.maximum(whole, 1), whole > 0)


def requests(table: Table) -> ByLift:
    """The urgency of the requests that the mentor can answer, of all the learner's; nothing if it has none."""
    whole = table.urgencies.sum(axis=1)
    return ByLift(table.above, table.asked, np.maximum(whole, 1), whole >= 0)


def ecosystems(table: Table) -> ByKind:
    """Ecosystems of both, of all that either works in."""
    kinds = table.ecosystems
    common, many = kinds.each @ kinds.each.T, kinds.each.sum(axis=1)
    union = many[:, None] + many[None, :] - common
    return ByKind(kinds, kinds, common, np.maximum(union, 1), np.logical_and.outer(many > 0, many > 0))


def cross_border(table: Table) -> ByKind:
    """All or nothing."""
    return ByKind(table.country, table.country, ~np.eye(len(table.country.each), dtype=np.bool_))


def value_chain(table: Table) -> ByKind:
    """Stages of the mentor that the learner lacks, of the mentor's."""
    kinds = table.stages
    many = kinds.each.sum(axis=1)
    lacked = many[:, None] - kinds.each @ kinds.each.T
    return ByKind(kinds, kinds, lacked, np.maximum(many, 1)[:, None], np.logical_and.outer(many > 0, many > 0))


def languages(table: Table) -> ByKind:
    """One language in common is half, two are all."""
    kinds = table.languages
    return ByKind(kinds, kinds, np.minimum(kinds.each @ kinds.each.T, MOST_LANGUAGES), MOST_LANGUAGES)


def record(table: Table) -> ByKind:
    """The mean of past outcomes and of what is assumed of nobody in particular (Bayesian mean)."""
    prior = table.criteria.record
    counts, sums = (column[:, None] for column in table.outcomes.each.T)
    part, whole = prior.prior * prior.strength + sums, 100 * (prior.strength + counts)
    return ByKind(table.outcomes, table.alike, part, whole, counts > 0)


def reciprocity(table: Table) -> ByKind:
    """A learner that has given three mentorships more than it took gets all, one that took three more nothing."""
    given, taken = (column[None, :] for column in table.exchanged.each.T)
    part = np.clip(given - taken, -BALANCE, BALANCE) + BALANCE
    return ByKind(table.alike, table.exchanged, part, 2 * BALANCE, given + taken > 0)


def novelty(table: Table) -> ByPair:
    """All for two who have not been paired before, either way round."""
    before = table.history.paired
    return ByPair(table.pairs([*before, *((other, one) for one, other in before)]), listed=0)


def travel(table: Table) -> ByKind:
    """All at no distance, nothing from 3,000 km on."""
    far = table.country.each
    return ByKind(table.country, table.country, np.maximum(FAR_KM - far, 0), FAR_KM, far >= 0)


TERMS: dict[str, Callable[[Table], Form]] = {
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
