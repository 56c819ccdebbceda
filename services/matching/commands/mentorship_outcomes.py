"""What assessments say of mentorships that are over: the gain that they confirm, and the outcome."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from services.matching.commands.mentorship_events import event_goals, publish_fact
from services.matching.rules.mentoring.outcome import MeasuredGoal, outcome
from services.matching.tables import Goal, Level, Mentorship, Pair
from shared.db import WriteSession
from shared.events.matching import MentorshipConfirmed
from shared.events.members import AssessmentRecorded


class MeasuredLevel(NamedTuple):
    """A level of a cluster, and the day of the assessment that measured it."""

    cluster_id: UUID
    framework: str
    indicator: str
    level: int
    on: date


async def confirm_by_assessments(tx: WriteSession, recorded: Sequence[AssessmentRecorded], now: datetime) -> None:
    """Confirm the goals of the clusters' mentorships that were over on the day of an assessment."""
    measured = [
        MeasuredLevel(one.cluster_id, one.framework, level.indicator, level.level, level.assessed_on)
        for one in recorded
        for level in one.levels
    ]
    learners = {one.cluster_id for one in measured}
    open_goals = select(Goal.mentorship_id).where(Goal.confirmed.is_(None))
    query = select(Pair.id).where(Pair.learner_id.in_(learners), Pair.state.in_(["accepted", "ended"]))
    query = query.where(Pair.id.in_(open_goals)).order_by(Pair.id).with_for_update()
    for id in (await tx.scalars(query)).all():
        mentorship = await tx.get_one(Mentorship, id)
        if mentorship.ended_at is not None:
            await _confirm_goals(tx, mentorship, measured, now)


async def confirm_at_end(tx: WriteSession, mentorship: Mentorship, now: datetime) -> None:
    """Confirm what an assessment of the very day on which a mentorship ended has measured."""
    rows = await tx.scalars(select(Level).where(Level.cluster_id == mentorship.pair.learner_id))
    measured = [MeasuredLevel(row.cluster_id, row.framework, row.indicator, row.level, row.assessed_on) for row in rows]
    await _confirm_goals(tx, mentorship, measured, now)


async def _confirm_goals(
    tx: WriteSession, mentorship: Mentorship, measured: Sequence[MeasuredLevel], now: datetime
) -> None:
    """Keep the first level that was measured on the day of the end or later; all of them together are the outcome."""
    pair, ended_at = mentorship.pair, mentorship.ended_at or now
    goals = (await tx.scalars(select(Goal).where(Goal.mentorship_id == mentorship.id))).all()
    found = {
        (one.framework, one.indicator): one
        for one in measured
        if one.cluster_id == pair.learner_id and one.on >= ended_at.date()
    }
    new = [goal for goal in goals if goal.confirmed is None and (goal.framework, goal.indicator) in found]
    for goal in new:
        one = found[goal.framework, goal.indicator]
        goal.confirmed, goal.confirmed_on = one.level, one.on
    if not new or any(goal.confirmed is None for goal in goals):
        return
    mentorship.outcome = outcome([MeasuredGoal(one.level, one.target, one.confirmed or 0) for one in goals])
    mentorship.confirmed_at = now
    mentorship.version += 1
    await tx.flush()
    publish_fact(
        tx, mentorship, MentorshipConfirmed, outcome=mentorship.outcome, goals=await event_goals(tx, mentorship)
    )
