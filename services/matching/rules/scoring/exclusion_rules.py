"""Hard rules: what excludes a pair, whatever it would score. For all pairs at once, with the reason for one.

A new rule is one function here with its reason, and its switch in the criteria.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from services.matching.rules.inputs.profile import Profile
from services.matching.rules.scoring.features import LABELS, Table
from services.matching.rules.scoring.term_shapes import ByKind, ByPair, Form, Unlifted


class Rule(NamedTuple):
    """A rule: which pairs it excludes (all of a share is out, nothing of it is in), and why it does one."""

    excludes: Callable[[Table], Form]
    reason: Callable[[Profile, Profile, Table], str]


def _itself(table: Table) -> Form:
    return ByPair(table.pairs((one, one) for one in table.number), listed=1)


def _no_consent(table: Table) -> Form:
    rules = table.criteria.rules
    mentors, learners = table.listed(rules.not_as_mentor), table.listed(rules.not_as_learner)
    return ByKind(mentors, learners, mentors.each | learners.each.T)


def _conflict(table: Table) -> Form:
    pairs = [(one.mentor_id, one.learner_id) for one in table.criteria.rules.conflicts]
    return ByPair(table.pairs([*pairs, *((other, one) for one, other in pairs)]), listed=1)


def _no_language(table: Table) -> Form:
    kinds = table.languages
    return ByKind(kinds, kinds, (kinds.each @ kinds.each.T == 0) & table.criteria.rules.language)


def _same_country(table: Table) -> Form:
    same = np.eye(len(table.country.each), dtype=np.bool_)
    return ByKind(table.country, table.country, same & table.criteria.rules.other_country)


def _label(table: Table) -> Form:
    return ByKind(table.label, table.alike, table.label.each < LABELS.index(table.criteria.rules.label))


def _freeze(table: Table) -> Form:
    since = table.history.today - timedelta(days=table.criteria.rules.freeze_days)
    return ByPair(table.pairs((one, other) for one, other, on in table.history.declined if on > since), listed=1)


def _teaches(table: Table) -> Form:
    if table.criteria.rules.teaches:
        return Unlifted(table.above, (table.wanted, table.asked))
    return ByPair(table.pairs(()), listed=1)


def _without_a_yes(mentor: Profile, learner: Profile, table: Table) -> str:
    on = max(on for one, other, on in table.history.declined if (one, other) == (mentor.id, learner.id))
    days = table.criteria.rules.freeze_days
    ended = f"The proposal of {mentor.name} to {learner.name} ended without a yes on {on:%-d %B %Y}"
    return f"{ended}; such a pair rests for {days} days."


def _refused(mentor: Profile, learner: Profile, table: Table) -> str:
    if mentor.id in table.criteria.rules.not_as_mentor:
        return f"{mentor.name} does not consent to mentor."
    return f"{learner.name} does not consent to be mentored."


RULES: dict[str, Rule] = {
    "itself": Rule(_itself, lambda *_: "A cluster does not mentor itself."),
    "consent": Rule(_no_consent, _refused),
    "conflict": Rule(_conflict, lambda one, other, _: f"{one.name} and {other.name} have a conflict of interest."),
    "language": Rule(
        _no_language, lambda one, other, _: f"{one.name} and {other.name} have no working language in common."
    ),
    "other_country": Rule(_same_country, lambda one, other, _: f"{one.name} and {other.name} are in one country."),
    "label": Rule(
        _label, lambda one, _, table: f"{one.name} has no valid {table.criteria.rules.label} label, or a higher one."
    ),
    "freeze": Rule(_freeze, _without_a_yes),
    "teaches": Rule(_teaches, lambda one, other, _: f"{one.name} stands above {other.name} in nothing that it needs."),
}
"""Every rule, in the order in which reasons are given."""
