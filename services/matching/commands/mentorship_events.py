"""The events of mentorships."""

from typing import Any

from sqlalchemy import select

from services.matching.tables import Goal, Mentorship
from shared import outbox
from shared.db import WriteSession
from shared.events.envelope import Stored
from shared.events.matching import MentorshipFact, MentorshipGoal


def publish_fact(tx: WriteSession, mentorship: Mentorship, kind: type[MentorshipFact], **fields: Any) -> Stored:
    """Append an event of a locked mentorship to the outbox. Its version continues that of the pair's events."""
    pair = mentorship.pair
    pair.events += 1
    ids = {"consortium_id": pair.consortium_id, "mentor_id": pair.mentor_id, "learner_id": pair.learner_id}
    return outbox.append(tx, kind(mentorship_id=pair.id, **ids, **fields), version=pair.events)


async def event_goals(tx: WriteSession, mentorship: Mentorship) -> list[MentorshipGoal]:
    """The goals of a mentorship, as its events contain them."""
    query = select(Goal).where(Goal.mentorship_id == mentorship.id).order_by(Goal.framework, Goal.indicator)
    return [MentorshipGoal.model_validate(goal, from_attributes=True) for goal in await tx.scalars(query)]
