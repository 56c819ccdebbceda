"""What becomes of accepted pairs: two clusters that work together."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.matching.tables.base import Base
from services.matching.tables.plans import Pair


class Mentorship(Base):
    """An accepted pair at work; it has the pair's id, and its events go on where the pair's ended.

    `last_sign_at` is when anything was last heard of it, `nudged` after how many quiet days it was last reminded since,
    and `surveyed` the day after the start of the last survey. `outcome`, out of 100, is known when an assessment has
    confirmed the goals. Who writes locks the pair's row before.
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
    last_sign_at: Mapped[datetime]
    nudged: Mapped[int] = mapped_column(default=0)
    surveyed: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[int | None]
    confirmed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    pair: Mapped[Pair] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        CheckConstraint("state IN ('agreed', 'active', 'completed', 'ended')", name="state"),
        CheckConstraint("(state IN ('completed', 'ended')) = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_mentorship_last_sign", "last_sign_at", postgresql_where="ended_at IS NULL"),
    )


class Goal(Base):
    """A level to reach. `reached` is what the two report; `confirmed` is what an assessment after the end measured."""

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


class Meeting(Base):
    """A session of a mentor with one or several learners. `people` and `notes` are by the ids of their clusters."""

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

    __table_args__ = (CheckConstraint("state IN ('planned', 'held', 'cancelled')", name="state"),)


class MeetingMentorship(Base):
    """Which mentorships a meeting counts for: several, if the mentor meets a group."""

    __tablename__ = "meeting_of"

    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), primary_key=True)
    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id"), primary_key=True, index=True)


class CheckIn(Base):
    """What one side says of how it goes, from 1 (badly) to 5 (very well)."""

    __tablename__ = "check_in"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), index=True)
    side: Mapped[str]
    feeling: Mapped[int]
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("side IN ('mentor', 'learner')", name="side"),)


class Survey(Base):
    """One side's answers to the survey of a day after the start; 0 is the one at the end."""

    __tablename__ = "survey"

    mentorship_id: Mapped[UUID] = mapped_column(ForeignKey("mentorship.id"), primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    useful: Mapped[int]
    again: Mapped[bool]
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("side IN ('mentor', 'learner')", name="side"),)
