"""The terms of a score: the share of its weight that each pair gets, for all pairs at once.

A term without data counts half its weight. A new term is a function here, its reason in `reasons` and its weight in
the criteria.
"""

from collections.abc import Callable

import numpy as np

from services.matching.rules.scoring.features import ClusterFeatures
from services.matching.rules.scoring.term_shapes import CategoryTerm, GapTerm, PairListTerm, TermShape

FAR_KM = 3000
"""From this distance on, travel gives nothing."""
BALANCE = 3
"""Difference of mentorships given and taken from which reciprocity gives all or nothing."""
MAX_LANGUAGES = 2
"""Common languages that count."""


def knowledge(features: ClusterFeatures) -> GapTerm:
    """Levels towards the learner's targets, times their priorities, out of all that the learner lacks."""
    whole = (features.gaps * features.priorities).sum(axis=1)
    return GapTerm(features.reached_steps, features.target_steps, np.maximum(whole, 1), whole > 0)


def requests(features: ClusterFeatures) -> GapTerm:
    """The urgency of the requests that the mentor can answer, out of all the learner's; nothing without requests."""
    whole = features.urgencies.sum(axis=1)
    return GapTerm(features.reached_steps, features.request_steps, np.maximum(whole, 1), whole >= 0)


def ecosystems(features: ClusterFeatures) -> CategoryTerm:
    """Common ecosystems out of the union."""
    categories = features.ecosystems
    common, count = categories.values @ categories.values.T, categories.values.sum(axis=1)
    union = count[:, None] + count[None, :] - common
    known = np.logical_and.outer(count > 0, count > 0)
    return CategoryTerm(categories, categories, common, np.maximum(union, 1), known)


def cross_border(features: ClusterFeatures) -> CategoryTerm:
    """All for different countries, else nothing."""
    country = features.country
    return CategoryTerm(country, country, ~np.eye(len(country.values), dtype=np.bool_))


def value_chain(features: ClusterFeatures) -> CategoryTerm:
    """Stages that only the mentor covers, out of all the mentor's."""
    categories = features.stages
    count = categories.values.sum(axis=1)
    only_mentor = count[:, None] - categories.values @ categories.values.T
    known = np.logical_and.outer(count > 0, count > 0)
    return CategoryTerm(categories, categories, only_mentor, np.maximum(count, 1)[:, None], known)


def languages(features: ClusterFeatures) -> CategoryTerm:
    """Half for one common language, all for two."""
    categories = features.languages
    common = categories.values @ categories.values.T
    return CategoryTerm(categories, categories, np.minimum(common, MAX_LANGUAGES), MAX_LANGUAGES)


def record(features: ClusterFeatures) -> CategoryTerm:
    """The Bayesian mean of the mentor's past outcomes with the prior of the criteria."""
    prior = features.criteria.record
    counts, sums = (column[:, None] for column in features.outcomes.values.T)
    part, whole = prior.prior * prior.strength + sums, 100 * (prior.strength + counts)
    return CategoryTerm(features.outcomes, features.single_category, part, whole, counts > 0)


def reciprocity(features: ClusterFeatures) -> CategoryTerm:
    """All for a learner that has given three mentorships more than it took, nothing for three less."""
    given, taken = (column[None, :] for column in features.exchanged.values.T)
    part = np.clip(given - taken, -BALANCE, BALANCE) + BALANCE
    return CategoryTerm(features.single_category, features.exchanged, part, 2 * BALANCE, given + taken > 0)


def novelty(features: ClusterFeatures) -> PairListTerm:
    """All for clusters that have not been paired before, in either direction."""
    paired = features.history.paired
    reverse = ((learner, mentor) for mentor, learner in paired)
    return PairListTerm(features.index_pairs([*paired, *reverse]), listed=0)


def travel(features: ClusterFeatures) -> CategoryTerm:
    """All at no distance, nothing from `FAR_KM` on, linear in between."""
    country = features.country
    distance = country.values
    return CategoryTerm(country, country, np.maximum(FAR_KM - distance, 0), FAR_KM, distance >= 0)


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
