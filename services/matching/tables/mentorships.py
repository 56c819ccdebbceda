"""Mentorships: accepted pairs, with their goals, meetings, check-ins and surveys."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.matching.rules.inputs.criteria import Role
from services.matching.tables.base import Base
from services.matching.tables.plans import Pair
from shared.db import date_limits


class Mentorship(Base):
    """An accepted pair, under the pair's id. The versions of its events continue those of the pair.

    `last_reminder_day` is the number of inactive days at the last reminder (0: none since the last activity),
    `last_survey_day` the day after the start of the last survey (0: none). `outcome` is 0 to 100, and NULL until
    assessments have confirmed all goals. A writer locks the pair's row first.
    """

    __tablename__ = "mentorship"

    id: Mapped[UUID] = mapped_column(ForeignKey("pair.id"), primary_key=True)
    state: Mapped[str] = mapped_column(default="agreed")
    every_days: Mapped[int]
    ends_on: Mapped[date]
    agreement: Mapped[str]
    mentor_confirmed_at: Mapped[datetime | None]
    learner_confirmed_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    last_activity_at: Mapped[datetime]
    last_reminder_day: Mapped[int] = mapped_column(default=0)
    last_survey_day: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[int | None]
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    pair: Mapped[Pair] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        *date_limits(
            "ends_on",
            "mentor_confirmed_at",
            "learner_confirmed_at",
            "started_at",
            "ended_at",
            "last_activity_at",
            "confirmed_at",
        ),
        CheckConstraint("state IN ('agreed', 'active', 'completed', 'ended')", name="state"),
        CheckConstraint("(state IN ('completed', 'ended')) = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_mentorship_last_activity", "last_activity_at", postgresql_where="ended_at IS NULL"),
    )

    def confirmed_by(self, role: Role) -> bool:
        """Whether a side has confirmed what the two set out to do."""
        return (self.mentor_confirmed_at if role == "mentor" else self.learner_confirmed_at) is not None

    def set_confirmed(self, role: Role, now: datetime) -> None:
        """Store the confirmation of a side."""
        if role == "mentor":
            self.mentor_confirmed_at = now
        else:
            self.learner_confirmed_at = now


class Goal(Base):
    """A level to reach, from `level` to `target`. Both sides report `reached`; an assessment measures `confirmed`."""

    __tablename__ = "goal"

    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    target: Mapped[int]
    due_on: Mapped[date]
    reached: Mapped[int]
    confirmed: Mapped[int | None]
    confirmed_on: Mapped[date | None]

    __table_args__ = date_limits("due_on", "confirmed_on")


class Meeting(Base):
    """A meeting of a mentor with one or several learners. The keys of `people` and `notes` are ids of clusters."""

    __tablename__ = "meeting"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mentor_id: Mapped[UUID]
    state: Mapped[str]
    on: Mapped[date]
    minutes: Mapped[int]
    people: Mapped[dict[str, Any]]
    notes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    follow_ups: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        *date_limits("on"),
        CheckConstraint("state IN ('planned', 'held', 'cancelled')", name="state"),
    )


class MeetingMentorship(Base):
    """A mentorship that a meeting counts for; a group meeting counts for several."""

    __tablename__ = "meeting_mentorship"

    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), primary_key=True)
    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id"), primary_key=True, index=True)


class CheckIn(Base):
    """The opinion of one side on how the mentorship goes, from 1 (badly) to 5 (very well)."""

    __tablename__ = "check_in"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), index=True)
    role: Mapped[str]
    feeling: Mapped[int]
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        *date_limits("at"),
        CheckConstraint("role IN ('mentor', 'learner')", name="role"),
    )


class Survey(Base):
    """The reply of one side to the survey of a day after the start; day 0 is the survey at the end."""

    __tablename__ = "survey"

    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    useful: Mapped[int]
    again: Mapped[bool]
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        *date_limits("at"),
        CheckConstraint("role IN ('mentor', 'learner')", name="role"),
    )
