"""The exclusion rules: pairs that are not allowed at any score. For all pairs at once, with a reason for one pair.

A new rule is a function here with its reason, and its switch in the criteria.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from services.matching.rules.inputs.profile import Profile
from services.matching.rules.scoring.features import LABELS, ClusterFeatures
from services.matching.rules.scoring.term_shapes import CategoryTerm, NoGapTerm, PairListTerm, TermShape
from shared.wording import day


class ExclusionRule(NamedTuple):
    """A rule: the pairs that it excludes (those with a share of 1), and the reason for one of them."""

    excludes: Callable[[ClusterFeatures], TermShape]
    reason: Callable[[Profile, Profile, ClusterFeatures], str]


def _itself(features: ClusterFeatures) -> TermShape:
    return PairListTerm(features.index_pairs((id, id) for id in features.index), listed=1)


def _no_consent(features: ClusterFeatures) -> TermShape:
    rules = features.criteria.rules
    mentors, learners = features.membership(rules.not_as_mentor), features.membership(rules.not_as_learner)
    return CategoryTerm(mentors, learners, mentors.values | learners.values.T)


def _conflict(features: ClusterFeatures) -> TermShape:
    conflicts = [(pair.mentor_id, pair.learner_id) for pair in features.criteria.rules.conflicts]
    reverse = ((learner, mentor) for mentor, learner in conflicts)
    return PairListTerm(features.index_pairs([*conflicts, *reverse]), listed=1)


def _no_language(features: ClusterFeatures) -> TermShape:
    categories = features.languages
    none_common = categories.values @ categories.values.T == 0
    return CategoryTerm(categories, categories, none_common & features.criteria.rules.language)


def _same_country(features: ClusterFeatures) -> TermShape:
    same = np.eye(len(features.country.values), dtype=np.bool_)
    return CategoryTerm(features.country, features.country, same & features.criteria.rules.other_country)


def _label(features: ClusterFeatures) -> TermShape:
    too_low = features.label.values < LABELS.index(features.criteria.rules.label)
    return CategoryTerm(features.label, features.single_category, too_low)


def _freeze(features: ClusterFeatures) -> TermShape:
    since = features.history.today - timedelta(days=features.criteria.rules.freeze_days)
    frozen = ((mentor, learner) for mentor, learner, on in features.history.declined if on > since)
    return PairListTerm(features.index_pairs(frozen), listed=1)


def _teaches(features: ClusterFeatures) -> TermShape:
    if features.criteria.rules.teaches:
        return NoGapTerm(features.reached_steps, (features.target_steps, features.request_steps))
    return PairListTerm(features.index_pairs(()), listed=1)


def _consent_reason(mentor: Profile, learner: Profile, features: ClusterFeatures) -> str:
    if mentor.id in features.criteria.rules.not_as_mentor:
        return f"{mentor.name} does not consent to mentor."
    return f"{learner.name} does not consent to be mentored."


def _freeze_reason(mentor: Profile, learner: Profile, features: ClusterFeatures) -> str:
    pair = (mentor.id, learner.id)
    last = max(on for mentor_id, learner_id, on in features.history.declined if (mentor_id, learner_id) == pair)
    ended = f"The proposal of {mentor.name} to {learner.name} ended without a yes on {day(last)}"
    return f"{ended}; such a pair rests for {features.criteria.rules.freeze_days} days."


EXCLUSION_RULES: dict[str, ExclusionRule] = {
    "itself": ExclusionRule(_itself, lambda *_: "A cluster does not mentor itself."),
    "consent": ExclusionRule(_no_consent, _consent_reason),
    "conflict": ExclusionRule(
        _conflict, lambda mentor, learner, _: f"{mentor.name} and {learner.name} have a conflict of interest."
    ),
    "language": ExclusionRule(
        _no_language, lambda mentor, learner, _: f"{mentor.name} and {learner.name} have no working language in common."
    ),
    "other_country": ExclusionRule(
        _same_country, lambda mentor, learner, _: f"{mentor.name} and {learner.name} are in one country."
    ),
    "label": ExclusionRule(
        _label,
        lambda mentor, _, features: (
            f"{mentor.name} has no valid {features.criteria.rules.label} label, or a higher one."
        ),
    ),
    "freeze": ExclusionRule(_freeze, _freeze_reason),
    "teaches": ExclusionRule(
        _teaches, lambda mentor, learner, _: f"{mentor.name} stands above {learner.name} in nothing that it needs."
    ),
}
"""Every rule, in the order in which reasons are given."""
