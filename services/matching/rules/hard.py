"""Hard rules: what excludes a pair, whatever it would score. For all pairs at once, with the reason for one.

A new rule is one function here with its reason, and its switch in the criteria.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from services.matching.rules.profile import Profile
from services.matching.rules.table import LABELS, Block, Flags, Table


class Rule(NamedTuple):
    """A rule: where in a block it excludes pairs, and why it does one."""

    excludes: Callable[[Table, Block], Flags]
    reason: Callable[[Profile, Profile, Table], str]


def _itself(table: Table, block: Block) -> Flags:
    numbers = np.arange(len(table.profiles))
    same: Flags = numbers[block.mentors][:, None] == numbers[block.learners][None, :]
    return same


def _consent(table: Table, block: Block) -> Flags:
    rules = table.criteria.rules
    mentors, learners = table.listed(rules.not_as_mentor), table.listed(rules.not_as_learner)
    return mentors[block.mentors][:, None] | learners[block.learners][None, :]


def _conflict(table: Table, block: Block) -> Flags:
    pairs = [(one.mentor_id, one.learner_id) for one in table.criteria.rules.conflicts]
    return table.pairs([*pairs, *((other, one) for one, other in pairs)], block)


def _language(table: Table, block: Block) -> Flags:
    common = table.languages[block.mentors] @ table.languages[block.learners].T
    apart: Flags = (common == 0) & table.criteria.rules.language
    return apart


def _other_country(table: Table, block: Block) -> Flags:
    same = table.country[block.mentors][:, None] == table.country[block.learners][None, :]
    excluded: Flags = same & table.criteria.rules.other_country
    return excluded


def _label(table: Table, block: Block) -> Flags:
    below: Flags = table.label[block.mentors] < LABELS.index(table.criteria.rules.label)
    return below[:, None]


def _freeze(table: Table, block: Block) -> Flags:
    since = table.history.today - timedelta(days=table.criteria.rules.freeze_days)
    return table.pairs([(one, other) for one, other, on in table.history.declined if on > since], block)


def _teaches(table: Table, block: Block) -> Flags:
    above = table.above[block.mentors]
    something = (above @ table.wanted[block.learners].T + above @ table.asked[block.learners].T) > 0
    excluded: Flags = ~something & table.criteria.rules.teaches
    return excluded


def _without_a_yes(mentor: Profile, learner: Profile, table: Table) -> str:
    on = max(on for one, other, on in table.history.declined if (one, other) == (mentor.id, learner.id))
    days = table.criteria.rules.freeze_days
    ended = f"The proposal of {mentor.name} to {learner.name} ended without a yes on {on:%-d %B %Y}"
    return f"{ended}; such a pair rests for {days} days."


def _no_consent(mentor: Profile, learner: Profile, table: Table) -> str:
    if mentor.id in table.criteria.rules.not_as_mentor:
        return f"{mentor.name} does not consent to mentor."
    return f"{learner.name} does not consent to be mentored."


RULES: dict[str, Rule] = {
    "itself": Rule(_itself, lambda *_: "A cluster does not mentor itself."),
    "consent": Rule(_consent, _no_consent),
    "conflict": Rule(_conflict, lambda one, other, _: f"{one.name} and {other.name} have a conflict of interest."),
    "language": Rule(
        _language, lambda one, other, _: f"{one.name} and {other.name} have no working language in common."
    ),
    "other_country": Rule(_other_country, lambda one, other, _: f"{one.name} and {other.name} are in one country."),
    "label": Rule(
        _label, lambda one, _, table: f"{one.name} has no valid {table.criteria.rules.label} label, or a higher one."
    ),
    "freeze": Rule(_freeze, _without_a_yes),
    "teaches": Rule(_teaches, lambda one, other, _: f"{one.name} stands above {other.name} in nothing that it needs."),
}
"""Every rule, in the order in which reasons are given."""
