"""Outcomes of mentorships: the gains that assessments confirm after the end."""

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
    """The level of a cluster in an indicator, and the day of the assessment."""

    cluster_id: UUID
    framework: str
    indicator: str
    level: int
    on: date


async def confirm_by_assessments(tx: WriteSession, recorded: Sequence[AssessmentRecorded], now: datetime) -> None:
    """Confirm the open goals of mentorships that ended on or before the day of an assessment of their learner."""
    measured = [
        MeasuredLevel(assessment.cluster_id, assessment.framework, level.indicator, level.level, level.assessed_on)
        for assessment in recorded
        for level in assessment.levels
    ]
    learner_ids = {level.cluster_id for level in measured}
    with_open_goals = select(Goal.mentorship_id).where(Goal.confirmed.is_(None))
    query = select(Pair.id).where(Pair.learner_id.in_(learner_ids), Pair.state.in_(["accepted", "ended"]))
    query = query.where(Pair.id.in_(with_open_goals)).order_by(Pair.id).with_for_update()
    for id in (await tx.scalars(query)).all():
        mentorship = await tx.get_one(Mentorship, id)
        if mentorship.ended_at is not None:
            await _confirm_goals(tx, mentorship, measured, now)


async def confirm_at_end(tx: WriteSession, mentorship: Mentorship, now: datetime) -> None:
    """Confirm goals of a mentorship that just ended by an assessment of the same day."""
    rows = await tx.scalars(select(Level).where(Level.cluster_id == mentorship.pair.learner_id))
    measured = [MeasuredLevel(row.cluster_id, row.framework, row.indicator, row.level, row.assessed_on) for row in rows]
    await _confirm_goals(tx, mentorship, measured, now)


async def _confirm_goals(
    tx: WriteSession, mentorship: Mentorship, measured: Sequence[MeasuredLevel], now: datetime
) -> None:
    """Store the first level that was measured on the day of the end or later; the outcome needs all goals confirmed."""
    pair, ended_at = mentorship.pair, mentorship.ended_at or now
    goals = (await tx.scalars(select(Goal).where(Goal.mentorship_id == mentorship.id))).all()
    after_end = {
        (level.framework, level.indicator): level
        for level in measured
        if level.cluster_id == pair.learner_id and level.on >= ended_at.date()
    }
    newly_confirmed = False
    for goal in goals:
        level = after_end.get((goal.framework, goal.indicator))
        if goal.confirmed is None and level is not None:
            goal.confirmed, goal.confirmed_on = level.level, level.on
            newly_confirmed = True
    if not newly_confirmed or any(goal.confirmed is None for goal in goals):
        return
    mentorship.outcome = outcome([MeasuredGoal(goal.level, goal.target, goal.confirmed or 0) for goal in goals])
    mentorship.confirmed_at = now
    mentorship.version += 1
    await tx.flush()
    publish_fact(
        tx, mentorship, MentorshipConfirmed, outcome=mentorship.outcome, goals=await event_goals(tx, mentorship)
    )
