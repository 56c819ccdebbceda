"""The score of a mentor for a learner: a sum of terms in hundredths of a point, each with its reason in a sentence."""

from typing import NamedTuple
from uuid import UUID

from services.matching.rules.scoring.exclusion_rules import EXCLUSION_RULES
from services.matching.rules.scoring.features import ClusterFeatures
from services.matching.rules.scoring.reasons import REASONS
from services.matching.rules.scoring.score_matrix import score_model


class ScoreTerm(NamedTuple):
    """One term of a score; where `known` is false there is no data, and it counts half."""

    term: str
    hundredths: int
    reason: str
    known: bool = True


class Score(NamedTuple):
    """A score and what it is made of; `total` is the sum of the terms."""

    total: int
    terms: tuple[ScoreTerm, ...]


class Excluded(NamedTuple):
    """The pair is not possible: by which rule, and why."""

    rule: str
    reason: str


def score_pair(features: ClusterFeatures, mentor_id: UUID, learner_id: UUID) -> Score | Excluded:
    """The score of a pair, or why it cannot be.

    Raises:
        KeyError: the features has no such cluster.
    """
    mentor, learner = features.index[mentor_id], features.index[learner_id]
    for name, form in score_model(features).rules.items():
        if form.at(mentor, learner).part:
            return Excluded(
                name, EXCLUSION_RULES[name].reason(features.profiles[mentor], features.profiles[learner], features)
            )
    return score_ignoring_rules(features, mentor_id, learner_id)


def score_ignoring_rules(features: ClusterFeatures, mentor_id: UUID, learner_id: UUID) -> Score:
    """The score of a pair that is there already, whatever the rules say."""
    mentor, learner = features.index[mentor_id], features.index[learner_id]
    terms = []
    for name, form in score_model(features).terms.items():
        part, whole, known = form.at(mentor, learner)
        reached = (part, whole) if known else (1, 2)
        reason = REASONS[name](features.profiles[mentor], features.profiles[learner], features)
        terms.append(ScoreTerm(name, features.criteria.weights.hundredths(name, *reached), reason, known))
    return Score(sum(term.hundredths for term in terms), tuple(terms))
