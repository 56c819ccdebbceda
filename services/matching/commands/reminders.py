"""What a clock brings to mentorships: reminders when they are quiet, the end of those that stay so, and surveys."""

from datetime import datetime, timedelta

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
"""Mentorships that are looked after in one transaction, at most."""


async def remind(tx: WriteSession, now: datetime) -> int:
    """Remind, ask and end whatever is due, and say how many mentorships that were; oldest first."""
    due = select(Mentorship.id).where(Mentorship.ended_at.is_(None), or_(_reminder_due(now), _survey_due(now)))
    ids = due.order_by(Mentorship.last_sign_at).limit(BATCH_SIZE)
    query = select(Pair.id).where(Pair.id.in_(ids)).order_by(Pair.id).with_for_update(skip_locked=True)
    found = (await tx.scalars(query)).all()
    for id in found:
        await _remind(tx, await tx.get_one(Mentorship, id), now)
    return len(found)


def _days(count: ColumnElement[int] | int) -> ColumnElement[timedelta]:
    return func.make_interval(0, 0, 0, count)


def _reminder_due(now: datetime) -> ColumnElement[bool]:
    """The next reminder, or after the last one the end, is due."""
    first, second, third = REMINDER_DAYS
    waits = case({0: first, first: second, second: third}, value=Mentorship.nudged, else_=third + GRACE_DAYS)
    return Mentorship.last_sign_at <= now - _days(waits)


def _survey_due(now: datetime) -> ColumnElement[bool]:
    """The next survey is due."""
    day = case((Mentorship.surveyed == 0, FIRST_SURVEY_DAY), else_=Mentorship.surveyed + SURVEY_INTERVAL_DAYS)
    return and_(Mentorship.started_at.is_not(None), Mentorship.started_at <= now - _days(day))


async def _remind(tx: WriteSession, mentorship: Mentorship, now: datetime) -> None:
    if mentorship.ended_at is not None:
        return
    quiet = (now - mentorship.last_sign_at).days
    if is_abandoned(quiet, mentorship.nudged):
        await close(tx, mentorship, Ending("quiet", f"Nothing was heard of it for {quiet} days."), now)
        return
    if days := due_reminder(quiet, mentorship.nudged):
        mentorship.nudged = days
        mentorship.version += 1
        closes = closing_date(mentorship.last_sign_at.date(), days)
        publish_fact(tx, mentorship, MentorshipNudged, quiet_days=quiet, closes_on=closes)
    due = survey_days((now - mentorship.started_at).days) if mentorship.started_at else []
    if due and due[-1] > mentorship.surveyed:
        mentorship.surveyed = due[-1]
        mentorship.version += 1
        publish_fact(tx, mentorship, MentorshipAsked, day=due[-1])
