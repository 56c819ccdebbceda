"""Time-driven changes of mentorships: reminders and, after the last one, the end of inactive ones; and surveys."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from services.matching.commands.mentorship_events import publish_fact
from services.matching.commands.mentorships import Ending, close
from services.matching.rules.mentoring.reminders import (
    FIRST_SURVEY_DAY,
    GRACE_DAYS,
    REMINDER_DAYS,
    SURVEY_INTERVAL_DAYS,
    closing_date,
    due_reminder,
    is_abandoned,
    survey_days,
)
from services.matching.tables import Mentorship, Pair
from shared.db import WriteSession
from shared.events.matching import MentorshipAsked, MentorshipNudged

BATCH_SIZE = 100
"""Maximum number of mentorships that are read at once."""


async def due(tx: WriteSession, now: datetime, excluded: Collection[UUID]) -> Sequence[UUID]:
    """Some mentorships, the longest inactive first, for which a reminder, a survey or the end is due.

    None if all of them are `excluded`.
    """
    query = select(Mentorship.id).where(*_is_due(now), Mentorship.id.not_in(excluded))
    return (await tx.scalars(query.order_by(Mentorship.last_activity_at).limit(BATCH_SIZE))).all()


async def remind(tx: WriteSession, id: UUID, now: datetime) -> None:
    """Send the due reminder or survey of a mentorship, or end it if it is abandoned."""
    query = select(Pair.id).where(Pair.id == id).with_for_update(skip_locked=True)
    if await tx.scalar(query) is None:
        return
    mentorship = await tx.get_one(Mentorship, id)
    if mentorship.ended_at is None:
        await _remind(tx, mentorship, now)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Mentorship.ended_at.is_(None), or_(_reminder_due(now), _survey_due(now))


def _days(count: ColumnElement[int] | int) -> ColumnElement[timedelta]:
    return func.make_interval(0, 0, 0, count)


def _reminder_due(now: datetime) -> ColumnElement[bool]:
    """Whether the next reminder, or the end after the last one, is due."""
    first, second, third = REMINDER_DAYS
    inactive_days = case(
        {0: first, first: second, second: third}, value=Mentorship.last_reminder_day, else_=third + GRACE_DAYS
    )
    return Mentorship.last_activity_at <= now - _days(inactive_days)


def _survey_due(now: datetime) -> ColumnElement[bool]:
    last_day = Mentorship.last_survey_day
    next_day = case((last_day == 0, FIRST_SURVEY_DAY), else_=last_day + SURVEY_INTERVAL_DAYS)
    return and_(Mentorship.started_at.is_not(None), Mentorship.started_at <= now - _days(next_day))


async def _remind(tx: WriteSession, mentorship: Mentorship, now: datetime) -> None:
    inactive_days = (now - mentorship.last_activity_at).days
    if is_abandoned(inactive_days, mentorship.last_reminder_day):
        await close(tx, mentorship, Ending("quiet", f"There was no activity for {inactive_days} days."), now)
        return
    if reminder_day := due_reminder(inactive_days, mentorship.last_reminder_day):
        mentorship.last_reminder_day = reminder_day
        mentorship.version += 1
        closes_on = closing_date(mentorship.last_activity_at.date(), reminder_day)
        publish_fact(tx, mentorship, MentorshipNudged, quiet_days=inactive_days, closes_on=closes_on)
    due = survey_days((now - mentorship.started_at).days) if mentorship.started_at else []
    if due and due[-1] > mentorship.last_survey_day:
        mentorship.last_survey_day = due[-1]
        mentorship.version += 1
        publish_fact(tx, mentorship, MentorshipAsked, day=due[-1])
