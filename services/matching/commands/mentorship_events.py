"""The events of mentorships."""

from typing import Any

from sqlalchemy import select

from services.matching.tables import Goal, Mentorship
from shared import outbox
from shared.db import WriteSession
from shared.events.envelope import Stored
from shared.events.matching import MentorshipFact, MentorshipGoal


def publish_fact(tx: WriteSession, mentorship: Mentorship, kind: type[MentorshipFact], **told: Any) -> Stored:
    """Publish a fact of a locked mentorship. The events of a pair and of its mentorship are numbered together."""
    pair = mentorship.pair
    pair.events += 1
    sides = {name: getattr(pair, name) for name in ("consortium_id", "mentor_id", "learner_id")}
    return outbox.append(tx, kind(mentorship_id=pair.id, **sides, **told), version=pair.events)


async def event_goals(tx: WriteSession, mentorship: Mentorship) -> list[MentorshipGoal]:
    """The goals as events tell them."""
    query = select(Goal).where(Goal.mentorship_id == mentorship.id).order_by(Goal.framework, Goal.indicator)
    names = MentorshipGoal.model_fields
    return [MentorshipGoal(**{name: getattr(goal, name) for name in names}) for goal in await tx.scalars(query)]
