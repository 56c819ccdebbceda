"""Hard rules: what excludes a pair, whatever it would score. For all pairs at once, with the reason for one.

A new rule is one function here with its reason, and its switch in the criteria.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from services.matching.rules.inputs.profile import Profile
from services.matching.rules.scoring.features import LABELS, ClusterFeatures
from services.matching.rules.scoring.term_shapes import CategoryTerm, NoGapTerm, PairListTerm, TermShape


class ExclusionRule(NamedTuple):
    """A rule: which pairs it excludes (all of a share is out, nothing of it is in), and why it does one."""

    excludes: Callable[[ClusterFeatures], TermShape]
    reason: Callable[[Profile, Profile, ClusterFeatures], str]


def _itself(features: ClusterFeatures) -> TermShape:
    return PairListTerm(features.pairs((one, one) for one in features.index), listed=1)


def _no_consent(features: ClusterFeatures) -> TermShape:
    rules = features.criteria.rules
    mentors, learners = features.listed(rules.not_as_mentor), features.listed(rules.not_as_learner)
    return CategoryTerm(mentors, learners, mentors.each | learners.each.T)


def _conflict(features: ClusterFeatures) -> TermShape:
    pairs = [(one.mentor_id, one.learner_id) for one in features.criteria.rules.conflicts]
    return PairListTerm(features.pairs([*pairs, *((other, one) for one, other in pairs)]), listed=1)


def _no_language(features: ClusterFeatures) -> TermShape:
    kinds = features.languages
    return CategoryTerm(kinds, kinds, (kinds.each @ kinds.each.T == 0) & features.criteria.rules.language)


def _same_country(features: ClusterFeatures) -> TermShape:
    same = np.eye(len(features.country.each), dtype=np.bool_)
    return CategoryTerm(features.country, features.country, same & features.criteria.rules.other_country)


def _label(features: ClusterFeatures) -> TermShape:
    return CategoryTerm(
        features.label, features.alike, features.label.each < LABELS.index(features.criteria.rules.label)
    )


def _freeze(features: ClusterFeatures) -> TermShape:
    since = features.history.today - timedelta(days=features.criteria.rules.freeze_days)
    return PairListTerm(
        features.pairs((one, other) for one, other, on in features.history.declined if on > since), listed=1
    )


def _teaches(features: ClusterFeatures) -> TermShape:
    if features.criteria.rules.teaches:
        return NoGapTerm(features.above, (features.wanted, features.asked))
    return PairListTerm(features.pairs(()), listed=1)


def _without_a_yes(mentor: Profile, learner: Profile, features: ClusterFeatures) -> str:
    on = max(on for one, other, on in features.history.declined if (one, other) == (mentor.id, learner.id))
    days = features.criteria.rules.freeze_days
    ended = f"The proposal of {mentor.name} to {learner.name} ended without a yes on {on:%-d %B %Y}"
    return f"{ended}; such a pair rests for {days} days."


def _refused(mentor: Profile, learner: Profile, features: ClusterFeatures) -> str:
    if mentor.id in features.criteria.rules.not_as_mentor:
        return f"{mentor.name} does not consent to mentor."
    return f"{learner.name} does not consent to be mentored."


EXCLUSION_RULES: dict[str, ExclusionRule] = {
    "itself": ExclusionRule(_itself, lambda *_: "A cluster does not mentor itself."),
    "consent": ExclusionRule(_no_consent, _refused),
    "conflict": ExclusionRule(
        _conflict, lambda one, other, _: f"{one.name} and {other.name} have a conflict of interest."
    ),
    "language": ExclusionRule(
        _no_language, lambda one, other, _: f"{one.name} and {other.name} have no working language in common."
    ),
    "other_country": ExclusionRule(
        _same_country, lambda one, other, _: f"{one.name} and {other.name} are in one country."
    ),
    "label": ExclusionRule(
        _label,
        lambda one, _, features: f"{one.name} has no valid {features.criteria.rules.label} label, or a higher one.",
    ),
    "freeze": ExclusionRule(_freeze, _without_a_yes),
    "teaches": ExclusionRule(
        _teaches, lambda one, other, _: f"{one.name} stands above {other.name} in nothing that it needs."
    ),
}
"""Every rule, in the order in which reasons are given."""
