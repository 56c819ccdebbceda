"""What each term says of a pair, in words that both sides can check."""

from collections.abc import Callable
from math import sqrt

from services.matching.rules.inputs.profile import Profile, Skill
from services.matching.rules.scoring.distance import capital_distance_km
from services.matching.rules.scoring.features import ClusterFeatures
from services.matching.rules.wording import listed

MAX_NAMED_SKILLS = 3
"""How many skills a sentence names."""


def teachable(mentor: Profile, learner: Profile) -> dict[Skill, int]:
    """By how many levels the mentor can bring the learner nearer to its targets, by skill."""
    lifts = {
        skill: min(gap, mentor.levels.get(skill, 0) - learner.levels.get(skill, 0))
        for skill, (gap, _) in learner.needs.items()
    }
    return {skill: lift for skill, lift in lifts.items() if lift > 0}


def answerable(mentor: Profile, learner: Profile) -> list[Skill]:
    """The learner's requests in which the mentor stands above it."""
    return sorted(skill for skill in learner.requests if mentor.levels.get(skill, 0) > learner.levels.get(skill, 0))


def _knowledge(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    needs, lifts = learner.needs, teachable(mentor, learner)
    if not needs:
        return f"{learner.name} has set no target above its levels, so the gain is not known."
    if not lifts:
        return f"{mentor.name} stands above {learner.name} in none of its targets."
    best = sorted(lifts, key=lambda skill: (-lifts[skill] * needs[skill][1], skill))
    named = listed(
        [
            f"{skill.text} ({mentor.levels[skill]} to {learner.levels.get(skill, 0)})"
            for skill in best[:MAX_NAMED_SKILLS]
        ]
    )
    more = f" and {len(best) - MAX_NAMED_SKILLS} more" if len(best) > MAX_NAMED_SKILLS else ""
    return f"{mentor.name} stands above {learner.name} where it wants to grow: {named}{more}."


def _requests(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if not learner.requests:
        return f"{learner.name} has no open request."
    met = answerable(mentor, learner)
    if not met:
        return f"{mentor.name} cannot answer an open request of {learner.name}."
    return f"{mentor.name} can answer its open request for {listed([skill.text for skill in met])}."


def _ecosystems(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    common = sorted(mentor.ecosystems & learner.ecosystems)
    if not mentor.ecosystems or not learner.ecosystems:
        return "The ecosystems of one side are not known."
    if not common:
        return "They work in different ecosystems."
    return f"Both work in {listed([one.replace('-', ' ') for one in common])}."


def _cross_border(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if mentor.country == learner.country:
        return f"Both are in {mentor.country}."
    return f"It joins two countries, {mentor.country} and {learner.country}."


def _value_chain(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    if not mentor.stages or not learner.stages:
        return "Where one side stands in its value chain is not known."
    apart = sorted(mentor.stages - learner.stages)
    if not apart:
        return f"{mentor.name} covers no stage of the value chain that {learner.name} lacks."
    return f"{mentor.name} adds {listed(apart)} to the value chain of {learner.name}."


def _languages(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    common = sorted(mentor.languages & learner.languages)
    return (
        f"Both work in {listed([code.upper() for code in common])}." if common else "They have no language in common."
    )


def _record(mentor: Profile, _: Profile, table: ClusterFeatures) -> str:
    count = len(mentor.record)
    if not count:
        return f"No mentorship of {mentor.name} has ended yet, so its record is not known."
    prior = table.criteria.record
    mean = (prior.prior * prior.strength + sum(mentor.record)) / (prior.strength + count)
    around = sqrt(mean * (100 - mean) / (prior.strength + count + 1))
    ended = "One mentorship" if count == 1 else f"{count} mentorships"
    return (
        f"{ended} of {mentor.name} ended so far; its next is expected at {mean:.0f} of 100, give or take {around:.0f}."
    )


def _reciprocity(_: Profile, learner: Profile, __: ClusterFeatures) -> str:
    if not learner.given + learner.taken:
        return f"{learner.name} has neither given nor taken a mentorship yet."
    return f"{learner.name} has given {_times(learner.given)} and taken {_times(learner.taken)}."


def _novelty(mentor: Profile, learner: Profile, table: ClusterFeatures) -> str:
    both = {(mentor.id, learner.id), (learner.id, mentor.id)}
    return "They have been paired before." if both & table.history.paired else "They have not been paired before."


def _travel(mentor: Profile, learner: Profile, _: ClusterFeatures) -> str:
    far = capital_distance_km(mentor.country, learner.country)
    if far is None:
        return "How far they are from each other is not known."
    if not far:
        return "They are in one country, so the way is short."
    return f"Their capitals are {far:,} km apart."


def _times(count: int) -> str:
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
"""What is said of every term, by the name of its weight."""
