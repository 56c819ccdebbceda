"""The score of one pair: a sum of terms in hundredths of a point, each with its reason in a sentence."""

from typing import NamedTuple
from uuid import UUID

from services.matching.rules.scoring.exclusion_rules import EXCLUSION_RULES
from services.matching.rules.scoring.features import ClusterFeatures
from services.matching.rules.scoring.reasons import REASONS
from services.matching.rules.scoring.score_matrix import score_model


class ScoreTerm(NamedTuple):
    """One term of a score; `known` is false without data, and the term counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class Score(NamedTuple):
    """A score and its terms; `total` is the sum of the terms."""

    total: int
    terms: tuple[ScoreTerm, ...]


class Excluded(NamedTuple):
    """The name of the rule that excludes a pair, and the reason."""

    rule: str
    reason: str


def score_pair(features: ClusterFeatures, mentor_id: UUID, learner_id: UUID) -> Score | Excluded:
    """The score of a pair, or the first rule that excludes it.

    Raises:
        KeyError: the features have no such cluster.
    """
    mentor, learner = features.index[mentor_id], features.index[learner_id]
    for name, shape in score_model(features).rules.items():
        if shape.at(mentor, learner).part:
            reason = EXCLUSION_RULES[name].reason(features.profiles[mentor], features.profiles[learner], features)
            return Excluded(name, reason)
    return score_ignoring_rules(features, mentor_id, learner_id)


def score_ignoring_rules(features: ClusterFeatures, mentor_id: UUID, learner_id: UUID) -> Score:
    """The score of a pair that exists already; exclusion rules do not apply."""
    mentor, learner = features.index[mentor_id], features.index[learner_id]
    terms = []
    for name, shape in score_model(features).terms.items():
        part, whole, known = shape.at(mentor, learner)
        share = (part, whole) if known else (1, 2)
        reason = REASONS[name](features.profiles[mentor], features.profiles[learner], features)
        terms.append(ScoreTerm(name, features.criteria.weights.hundredths(name, *share), reason, known))
    return Score(sum(term.hundredths for term in terms), tuple(terms))
