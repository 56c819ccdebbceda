"""What a mentorship sets out to do: its templates, the goals two clusters begin with, and the text they agree on."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from services.matching.rules.inputs.profile import Profile, Skill
from shared.wording import listed

MAX_FIRST_GOALS = 3
"""How many goals a mentorship begins with."""


class Template(NamedTuple):
    """How often two clusters meet, in days, and for how many days they work together."""

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
    """A level that the learner wants to reach, from the one it has, until a day."""

    skill: Skill
    level: int
    target: int
    due_on: date


def first_goals(mentor: Profile, learner: Profile, due_on: date) -> list[PlannedGoal]:
    """What the learner needs most and the mentor can teach, up to what the mentor itself has reached."""
    able = [(skill, gap, weight) for skill, (gap, weight) in learner.gaps.items() if _above(mentor, learner, skill)]
    able.sort(key=lambda one: (-one[1] * one[2], one[0]))
    return [
        PlannedGoal(
            skill,
            learner.levels.get(skill, 0),
            min(learner.targets[skill].level, mentor.levels[skill]),
            due_on,
        )
        for skill, _, _ in able[:MAX_FIRST_GOALS]
    ]


def _above(mentor: Profile, learner: Profile, skill: Skill) -> bool:
    return mentor.levels.get(skill, 0) > learner.levels.get(skill, 0)


def agreement(mentor: str, learner: str, template: Template, goals: Sequence[PlannedGoal]) -> str:
    """The text that both sides are asked to confirm, or to put in words of their own."""
    wanted = [f"{goal.skill.text} (from {goal.level} to {goal.target})" for goal in goals]
    targets = f"We work on {listed(wanted)}." if wanted else "We agree on goals at the first meeting."
    return (
        f"{mentor} and {learner} work together: {template.title}. {targets}"
        f" {mentor} shares what it knows and opens doors; {learner} prepares the meetings and does what was agreed."
        " What we tell each other stays between us. Each of us may end this at any time, with a word of why."
    )


def ends_on(template: Template, begins: date) -> date:
    """The day until which a mentorship of this template is meant to last."""
    return begins + timedelta(days=template.lasts_days)
