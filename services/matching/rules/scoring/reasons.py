"""The reason of each term for one pair: a sentence that both sides can check."""

from collections.abc import Callable
from math import sqrt

from services.matching.rules.inputs.profile import Profile, Skill
from services.matching.rules.scoring.features import ClusterFeatures, capital_distance_km
from shared.wording import decimal, listed

MAX_NAMED_SKILLS = 3
"""Skills that a sentence names."""


def teachable(mentor: Profile, learner: Profile) -> dict[Skill, int]:
    """Levels towards its targets that the learner can gain from the mentor, by skill; each at least 1."""
    gains = {
        skill: min(gap, mentor.levels.get(skill, 0) - learner.levels.get(skill, 0))
        for skill, (gap, _) in learner.gaps.items()
    }
    return {skill: gain for skill, gain in gains.items() if gain > 0}


def answerable(mentor: Profile, learner: Profile) -> list[Skill]:
    """The learner's requests in which the mentor's level is higher."""
    return sorted(skill for skill in learner.requests if mentor.levels.get(skill, 0) > learner.levels.get(skill, 0))


def _knowledge(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    gaps, gains = learner.gaps, teachable(mentor, learner)
    if not gaps:
        return f"{learner.name} has set no target above its levels, so the gain is not known."
    if not gains:
        return f"{mentor.name} stands above {learner.name} in none of its targets."
    best = sorted(gains, key=lambda skill: (-gains[skill] * gaps[skill][1], skill))
    named = [
        f"{skill.text} ({mentor.levels[skill]} to {learner.levels.get(skill, 0)})" for skill in best[:MAX_NAMED_SKILLS]
    ]
    more = f" and {len(best) - MAX_NAMED_SKILLS} more" if len(best) > MAX_NAMED_SKILLS else ""
    return f"{mentor.name} stands above {learner.name} where it wants to grow: {listed(named)}{more}."


def _requests(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if not learner.requests:
        return f"{learner.name} has no open request."
    skills = answerable(mentor, learner)
    if not skills:
        return f"{mentor.name} cannot answer an open request of {learner.name}."
    return f"{mentor.name} can answer its open request for {listed(skill.text for skill in skills)}."


def _ecosystems(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    common = sorted(mentor.ecosystems & learner.ecosystems)
    if not mentor.ecosystems or not learner.ecosystems:
        return "The ecosystems of one side are not known."
    if not common:
        return "They work in different ecosystems."
    return f"Both work in {listed(ecosystem.replace('-', ' ') for ecosystem in common)}."


def _cross_border(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if mentor.country == learner.country:
        return f"Both are in {mentor.country}."
    return f"It joins two countries, {mentor.country} and {learner.country}."


def _value_chain(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if not mentor.stages or not learner.stages:
        return "Where one side stands in its value chain is not known."
    only_mentor = sorted(mentor.stages - learner.stages)
    if not only_mentor:
        return f"{mentor.name} covers no stage of the value chain that {learner.name} lacks."
    return f"{mentor.name} adds {listed(only_mentor)} to the value chain of {learner.name}."


def _languages(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    common = sorted(mentor.languages & learner.languages)
    return f"Both work in {listed(code.upper() for code in common)}." if common else "They have no language in common."


def _record(mentor: Profile, _: Profile, features: ClusterFeatures) -> str:
    count = len(mentor.record)
    if not count:
        return f"No mentorship of {mentor.name} has ended yet, so its record is not known."
    prior = features.criteria.record
    mean = (prior.prior * prior.strength + sum(mentor.record)) / (prior.strength + count)
    deviation = sqrt(mean * (100 - mean) / (prior.strength + count + 1))
    ended = "One mentorship" if count == 1 else f"{count} mentorships"
    expected = f"its next is expected at {mean:.0f} of 100, give or take {deviation:.0f}"
    return f"{ended} of {mentor.name} ended so far; {expected}."


def _reciprocity(_: Profile, learner: Profile, __: ClusterFeatures) -> str:
    if not learner.given + learner.taken:
        return f"{learner.name} has neither given nor taken a mentorship yet."
    return f"{learner.name} has given {_mentorships(learner.given)} and taken {_mentorships(learner.taken)}."


def _novelty(mentor: Profile, learner: Profile, features: ClusterFeatures) -> str:
    pairs = {(mentor.id, learner.id), (learner.id, mentor.id)}
    return "They have been paired before." if pairs & features.history.paired else "They have not been paired before."


def _travel(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    distance = capital_distance_km(mentor.country, learner.country)
    if distance is None:
        return "How far they are from each other is not known."
    if not distance:
        return "They are in one country, so the way is short."
    return f"Their capitals are {decimal(distance)} km apart."


def _mentorships(count: int) -> str:
    return "one mentorship" if count == 1 else f"{count} mentorships"


REASONS: dict[str, Callable[[Profile, Profile, ClusterFeatures], str]] = {
    "knowledge": _knowledge,
    "requests": _requests,
    "ecosystems": _ecosystems,
    "cross_border": _cross_border,
    "value_chain": _value_chain,
    "languages": _languages,
    "record": _record,
    "reciprocity": _reciprocity,
    "novelty": _novelty,
    "travel": _travel,
}
"""The reason of every term, by the name of its weight."""
