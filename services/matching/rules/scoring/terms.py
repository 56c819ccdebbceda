"""The terms of a score: what share of its weight each pair gets, for all pairs at once.

A term without data is neutral: half its weight, and said. A new term is one function here, its sentence in
`sentences`, and its weight in the criteria.
"""

from collections.abc import Callable

import numpy as np

from services.matching.rules.scoring.features import ClusterFeatures
from services.matching.rules.scoring.term_shapes import CategoryTerm, GapTerm, PairListTerm, TermShape

FAR_KM = 3000
"""From here on a pair is as far apart as can be."""
BALANCE = 3
"""By how many mentorships given more than taken, or less, reciprocity counts."""
MAX_LANGUAGES = 2


def knowledge(table: ClusterFeatures) -> GapTerm:
    """Levels nearer to the learner's targets, times their priorities, of all that it is short of."""
    whole = (table.gaps * table.priorities).sum(axis=1)
    return GapTerm(table.above, table.wanted, np.maximum(whole, 1), whole > 0)


def requests(table: ClusterFeatures) -> GapTerm:
    """The urgency of the requests that the mentor can answer, of all the learner's; nothing if it has none."""
    whole = table.urgencies.sum(axis=1)
    return GapTerm(table.above, table.asked, np.maximum(whole, 1), whole >= 0)


def ecosystems(table: ClusterFeatures) -> CategoryTerm:
    """Ecosystems of both, of all that either works in."""
    kinds = table.ecosystems
    common, many = kinds.each @ kinds.each.T, kinds.each.sum(axis=1)
    union = many[:, None] + many[None, :] - common
    return CategoryTerm(kinds, kinds, common, np.maximum(union, 1), np.logical_and.outer(many > 0, many > 0))


def cross_border(table: ClusterFeatures) -> CategoryTerm:
    """All or nothing."""
    return CategoryTerm(table.country, table.country, ~np.eye(len(table.country.each), dtype=np.bool_))


def value_chain(table: ClusterFeatures) -> CategoryTerm:
    """Stages of the mentor that the learner lacks, of the mentor's."""
    kinds = table.stages
    many = kinds.each.sum(axis=1)
    lacked = many[:, None] - kinds.each @ kinds.each.T
    return CategoryTerm(kinds, kinds, lacked, np.maximum(many, 1)[:, None], np.logical_and.outer(many > 0, many > 0))


def languages(table: ClusterFeatures) -> CategoryTerm:
    """One language in common is half, two are all."""
    kinds = table.languages
    return CategoryTerm(kinds, kinds, np.minimum(kinds.each @ kinds.each.T, MAX_LANGUAGES), MAX_LANGUAGES)


def record(table: ClusterFeatures) -> CategoryTerm:
    """The mean of past outcomes and of what is assumed of nobody in particular (Bayesian mean)."""
    prior = table.criteria.record
    counts, sums = (column[:, None] for column in table.outcomes.each.T)
    part, whole = prior.prior * prior.strength + sums, 100 * (prior.strength + counts)
    return CategoryTerm(table.outcomes, table.alike, part, whole, counts > 0)


def reciprocity(table: ClusterFeatures) -> CategoryTerm:
    """A learner that has given three mentorships more than it took gets all, one that took three more nothing."""
    given, taken = (column[None, :] for column in table.exchanged.each.T)
    part = np.clip(given - taken, -BALANCE, BALANCE) + BALANCE
    return CategoryTerm(table.alike, table.exchanged, part, 2 * BALANCE, given + taken > 0)


def novelty(table: ClusterFeatures) -> PairListTerm:
    """All for two who have not been paired before, either way round."""
    before = table.history.paired
    return PairListTerm(table.pairs([*before, *((other, one) for one, other in before)]), listed=0)


def travel(table: ClusterFeatures) -> CategoryTerm:
    """All at no distance, nothing from 3,000 km on."""
    far = table.country.each
    return CategoryTerm(table.country, table.country, np.maximum(FAR_KM - far, 0), FAR_KM, far >= 0)


TERMS: dict[str, Callable[[ClusterFeatures], TermShape]] = {
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
