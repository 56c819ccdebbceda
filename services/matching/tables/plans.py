"""What matching decides: criteria, runs, pairs, and the places that these take."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.matching.tables.base import Base


class Slots(Base):
    """How many a cluster can take on one side (mentor or learner), and how many accepted pairs take.

    `capacity` is projected, `used` is ours. A capacity lowered below `used` ends no pair, so `ceiling` keeps the
    highest number that was ever allowed while it is in use; the constraint is the last wall behind the guarded update.
    """

    __tablename__ = "places"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    capacity: Mapped[int]
    used: Mapped[int]
    ceiling: Mapped[int]
    version: Mapped[int]

    __table_args__ = (
        CheckConstraint("side IN ('mentor', 'learner')", name="side"),
        CheckConstraint("used BETWEEN 0 AND ceiling", name="used"),
    )


class CriteriaSet(Base):
    """Criteria with a name, of which there may be several versions (`number`). What is published is never changed."""

    __tablename__ = "criteria_set"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID]
    name: Mapped[str]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default="draft")
    criteria: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published')", name="state"),
        UniqueConstraint("consortium_id", "name", "number"),
    )


class Run(Base):
    """A plan for a whole consortium, with what it was made from.

    While it is `running`, `beat_at` is when whoever makes it last said so, `progress` how far it is in thousandths,
    and `tries` how often it was begun. `reason` says why it failed, or what is to be known of its plan. `causes` are
    the events that it follows; none if a person asked for it.
    """

    __tablename__ = "run"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    state: Mapped[str]
    total: Mapped[int]
    criteria: Mapped[dict[str, Any]]
    criteria_set_id: Mapped[UUID | None] = mapped_column(ForeignKey("criteria_set.id"))
    inputs: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    inputs_hash: Mapped[str]
    solver: Mapped[str]
    plan: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    took_ms: Mapped[int | None]
    progress: Mapped[int] = mapped_column(server_default="1000")
    tries: Mapped[int] = mapped_column(server_default="1")
    beat_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    causes: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]", default=list)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("state IN ('running', 'draft', 'published', 'failed', 'cancelled', 'unchanged')", name="state"),
        Index("uq_run_running", "consortium_id", unique=True, postgresql_where="state = 'running'"),
    )


class WhatIf(Base):
    """A plan for what is not so, and how it compares with that for what is. It is never changed, never published."""

    __tablename__ = "what_if"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    name: Mapped[str]
    inputs: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    only_the_plan: Mapped[bool]
    plan: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    comparison: Mapped[dict[str, Any]]
    took_ms: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Pair(Base):
    """A mentor and a learner. `events` counts what was published of it: the version of its last event.

    An `accepted` pair is a mentorship, and `ended` with it. `reason` is what a side said when it declined; `cause` is
    the event that led to the proposal.
    """

    __tablename__ = "pair"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"), index=True)
    request_id: Mapped[UUID | None]
    mentor_id: Mapped[UUID]
    learner_id: Mapped[UUID]
    score: Mapped[int]
    terms: Mapped[list[dict[str, Any]]]
    state: Mapped[str]
    mentor_answer: Mapped[str | None]
    learner_answer: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    cause: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    events: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        CheckConstraint(
            "state IN ('draft', 'proposed', 'accepted', 'declined', 'expired', 'withdrawn', 'ended')", name="state"
        ),
        CheckConstraint("mentor_id <> learner_id", name="two"),
        Index("ix_pair_mentor", "mentor_id"),
        Index("ix_pair_learner", "learner_id"),
        Index("ix_pair_expires", "expires_at", postgresql_where="state = 'proposed'"),
        Index(
            "uq_pair_live",
            "mentor_id",
            "learner_id",
            unique=True,
            postgresql_where="state IN ('proposed', 'accepted')",
        ),
    )


class ReplanCause(Base):
    """An event that changed a cluster's supply or need: a new plan is made when such events have come to rest."""

    __tablename__ = "replan_cause"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    type: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ResolvedRequest(Base):
    """A service request that was answered, be it by no proposal. A rebuild of the projection answers none again."""

    __tablename__ = "answered_request"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
