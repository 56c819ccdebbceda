"""The score of a mentor for a learner: a sum of terms in hundredths of a point, each with its reason in a sentence.

The weights are the most a term can give; they sum to 10,000 hundredths. A term without data gives half its weight and
says so.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from services.matching.rules.profile import Profile, Skill


@dataclass(frozen=True, slots=True)
class Criteria:
    """The weights, in hundredths of a point."""

    knowledge: int = 5500
    requests: int = 1500
    ecosystems: int = 1000
    cross_border: int = 1000
    value_chain: int = 500
    languages: int = 500

    def as_dict(self) -> dict[str, int]:
        """For storing with a run."""
        return asdict(self)


class Term(NamedTuple):
    """One term of a score."""

    term: str
    hundredths: int
    reason: str


class Score(NamedTuple):
    """A score and what it is made of; `total` is the sum of the terms."""

    total: int
    terms: tuple[Term, ...]


class Excluded(NamedTuple):
    """The pair is not possible, and why."""

    reason: str


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


def score(mentor: Profile, learner: Profile, criteria: Criteria) -> Score | Excluded:
    """The score of `mentor` teaching `learner`, or why that cannot be."""
    if mentor.id == learner.id:
        return Excluded("A cluster does not mentor itself.")
    if not mentor.languages & learner.languages:
        return Excluded(f"{mentor.name} and {learner.name} have no working language in common.")
    if not teachable(mentor, learner) and not answerable(mentor, learner):
        return Excluded(f"{mentor.name} stands above {learner.name} in nothing that it needs.")
    terms = tuple(
        Term(name, getattr(criteria, name) * part[0] // part[1], part[2])
        for name, part in ((name, term(mentor, learner)) for name, term in TERMS.items())
    )
    return Score(sum(term.hundredths for term in terms), terms)


Part = tuple[int, int, str]
"""Numerator and denominator of the share of the weight, and the reason."""


def _knowledge(mentor: Profile, learner: Profile) -> Part:
    needs, lifts = learner.needs, teachable(mentor, learner)
    whole = sum(gap * priority for gap, priority in needs.values())
    if not whole:
        return 1, 2, f"{learner.name} has set no target above its levels, so the gain is not known."
    part = sum(lift * needs[skill][1] for skill, lift in lifts.items())
    if not part:
        return 0, 1, f"{mentor.name} stands above {learner.name} in none of its targets."
    best = sorted(lifts, key=lambda skill: (-lifts[skill] * needs[skill][1], skill))
    named = _list([f"{skill.words} ({mentor.levels[skill]} to {learner.levels.get(skill, 0)})" for skill in best[:3]])
    more = f" and {len(best) - 3} more" if len(best) > 3 else ""  # noqa: PLR2004  as many as are named
    return part, whole, f"{mentor.name} stands above {learner.name} where it wants to grow: {named}{more}."


def _requests(mentor: Profile, learner: Profile) -> Part:
    if not learner.requests:
        return 0, 1, f"{learner.name} has no open request."
    met = answerable(mentor, learner)
    if not met:
        return 0, 1, f"{mentor.name} cannot answer an open request of {learner.name}."
    part = sum(learner.requests[skill] for skill in met)
    named = _list([skill.words for skill in met])
    return part, sum(learner.requests.values()), f"{mentor.name} can answer its open request for {named}."


def _ecosystems(mentor: Profile, learner: Profile) -> Part:
    union, common = mentor.ecosystems | learner.ecosystems, sorted(mentor.ecosystems & learner.ecosystems)
    if not mentor.ecosystems or not learner.ecosystems:
        return 1, 2, "The ecosystems of one side are not known."
    if not common:
        return 0, 1, "They work in different ecosystems."
    return len(common), len(union), f"Both work in {_list([one.replace('-', ' ') for one in common])}."


def _cross_border(mentor: Profile, learner: Profile) -> Part:
    if mentor.country == learner.country:
        return 0, 1, f"Both are in {mentor.country}."
    return 1, 1, f"It joins two countries, {mentor.country} and {learner.country}."


def _value_chain(mentor: Profile, learner: Profile) -> Part:
    if not mentor.stages or not learner.stages:
        return 1, 2, "Where one side stands in its value chain is not known."
    apart = sorted(mentor.stages - learner.stages)
    if not apart:
        return 0, 1, f"{mentor.name} covers no stage of the value chain that {learner.name} lacks."
    return len(apart), len(mentor.stages), f"{mentor.name} adds {_list(apart)} to the value chain of {learner.name}."


def _languages(mentor: Profile, learner: Profile) -> Part:
    common = sorted(mentor.languages & learner.languages)
    return min(len(common), 2), 2, f"Both work in {_list([code.upper() for code in common])}."


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


TERMS: dict[str, Callable[[Profile, Profile], Part]] = {
    "knowledge": _knowledge,
    "requests": _requests,
    "ecosystems": _ecosystems,
    "cross_border": _cross_border,
    "value_chain": _value_chain,
    "languages": _languages,
}
"""Every term by the name of its weight."""
