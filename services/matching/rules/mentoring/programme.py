"""The programme of a mentorship: its templates, first goals and agreement."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from services.matching.rules.inputs.profile import Profile, Skill
from shared.wording import listed

MAX_FIRST_GOALS = 3
"""Goals that a mentorship begins with."""


class Template(NamedTuple):
    """Days between meetings and days of the whole mentorship, with a title."""

    title: str
    every_days: int
    lasts_days: int


TEMPLATES = {
    "light": Template("a meeting every month for a year", 30, 365),
    "standard": Template("a meeting every two weeks for half a year", 14, 182),
    "intense": Template("a meeting every week for twelve weeks", 7, 84),
}
DEFAULT_TEMPLATE = "standard"


class PlannedGoal(NamedTuple):
    """The learner's level in a skill, and the level to reach until a day."""

    skill: Skill
    level: int
    target: int
    due_on: date


def first_goals(mentor: Profile, learner: Profile, due_on: date) -> list[PlannedGoal]:
    """The learner's largest gaps, by priority, that the mentor can teach, up to the mentor's own level."""
    teachable = [
        (gap * priority, skill)
        for skill, (gap, priority) in learner.gaps.items()
        if mentor.levels.get(skill, 0) > learner.levels.get(skill, 0)
    ]
    teachable.sort(key=lambda entry: (-entry[0], entry[1]))
    return [
        PlannedGoal(
            skill, learner.levels.get(skill, 0), min(learner.targets[skill].level, mentor.levels[skill]), due_on
        )
        for _, skill in teachable[:MAX_FIRST_GOALS]
    ]


def agreement(mentor: str, learner: str, template: Template, goals: Sequence[PlannedGoal]) -> str:
    """The text of the agreement, which both sides may change and have to confirm."""
    texts = [f"{goal.skill.text} (from {goal.level} to {goal.target})" for goal in goals]
    aims = f"We work on {listed(texts)}." if texts else "We agree on goals at the first meeting."
    return (
        f"{mentor} and {learner} work together: {template.title}. {aims}"
        f" {mentor} shares what it knows and opens doors; {learner} prepares the meetings and does what was agreed."
        " What we tell each other stays between us. Each of us may end this at any time, with a word of why."
    )


def ends_on(template: Template, begins: date) -> date:
    """The planned last day of a mentorship."""
    return begins + timedelta(days=template.lasts_days)
