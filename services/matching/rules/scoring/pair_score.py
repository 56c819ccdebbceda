"""The score of a mentor for a learner: a sum of terms in hundredths of a point, each with its reason in a sentence."""

from typing import NamedTuple
from uuid import UUID

from services.matching.rules.scoring.exclusion_rules import RULES
from services.matching.rules.scoring.features import Table
from services.matching.rules.scoring.reasons import SENTENCES
from services.matching.rules.scoring.score_matrix import sums


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


def score(table: Table, mentor_id: UUID, learner_id: UUID) -> Score | Excluded:
    """The score of a pair, or why it cannot be.

    Raises:
        KeyError: the table has no such cluster.
    """
    mentor, learner = table.number[mentor_id], table.number[learner_id]
    for name, form in sums(table).rules.items():
        if form.at(mentor, learner).part:
            return Excluded(name, RULES[name].reason(table.profiles[mentor], table.profiles[learner], table))
    return score_anyway(table, mentor_id, learner_id)


def score_anyway(table: Table, mentor_id: UUID, learner_id: UUID) -> Score:
    """The score of a pair that is there already, whatever the rules say."""
    mentor, learner = table.number[mentor_id], table.number[learner_id]
    terms = []
    for name, form in sums(table).terms.items():
        part, whole, known = form.at(mentor, learner)
        reached = (part, whole) if known else (1, 2)
        reason = SENTENCES[name](table.profiles[mentor], table.profiles[learner], table)
        terms.append(Term(name, table.criteria.weights.hundredths(name, *reached), reason, known))
    return Score(sum(term.hundredths for term in terms), tuple(terms))
