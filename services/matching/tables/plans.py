"""What matching decides: criteria, runs, pairs, and the slots that accepted pairs take."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.matching.rules.inputs.criteria import Role
from services.matching.tables.base import Base
from shared.db import date_limits


class Slots(Base):
    """The slots of a cluster in one role.

    `capacity` is projected, `used` is the number of accepted pairs. A capacity that falls below `used` ends no pair:
    `ceiling` is the higher of the two, so that the check constraint still holds. Updates test the capacity themselves;
    the constraint is a safeguard.
    """

    __tablename__ = "slots"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    capacity: Mapped[int]
    used: Mapped[int]
    ceiling: Mapped[int]
    version: Mapped[int]

    __table_args__ = (
        CheckConstraint("role IN ('mentor', 'learner')", name="role"),
        CheckConstraint("used BETWEEN 0 AND ceiling", name="used"),
    )


class CriteriaSet(Base):
    """Criteria with a name and a version (`number`). A published version never changes."""

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
        *date_limits("created_at"),
        CheckConstraint("state IN ('draft', 'published')", name="state"),
        UniqueConstraint("consortium_id", "name", "number"),
    )


class Run(Base):
    """A request for a plan of a consortium, with the plan input and the plan.

    While it is `running`, `heartbeat_at` is the last sign of its worker, `progress` is in thousandths, and `attempts`
    counts how often a worker has claimed it. `reason` says why it failed, or a limitation of its plan. `causes` are the
    events that it follows; empty if a person requested it.
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
    attempts: Mapped[int] = mapped_column(server_default="1")
    heartbeat_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    causes: Mapped[list[dict[str, Any]]] = mapped_column(server_default="[]", default=list)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        *date_limits("heartbeat_at", "created_at"),
        CheckConstraint("state IN ('running', 'draft', 'published', 'failed', 'cancelled', 'unchanged')", name="state"),
        Index("uq_run_running", "consortium_id", unique=True, postgresql_where="state = 'running'"),
    )


class WhatIf(Base):
    """A plan with changed inputs, compared with the live plan. It is never changed and never published."""

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

    __table_args__ = date_limits("created_at")


class Pair(Base):
    """A mentor and a learner. `events` is the number of its published events and the version of the last one.

    An `accepted` pair is a mentorship, and `ended` with it. `reason` is that of the side that declined; `cause` is the
    event that led to the proposal.
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
        *date_limits("decided_at", "expires_at"),
        CheckConstraint(
            "state IN ('draft', 'proposed', 'accepted', 'declined', 'expired', 'withdrawn', 'ended')", name="state"
        ),
        CheckConstraint("mentor_id <> learner_id", name="different_clusters"),
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

    @property
    def sides(self) -> list[tuple[UUID, Role]]:
        """Both clusters with their roles, in order of cluster: the order in which rows of both are locked."""
        sides: list[tuple[UUID, Role]] = [(self.mentor_id, "mentor"), (self.learner_id, "learner")]
        return sorted(sides)

    def cluster_of(self, role: Role) -> UUID:
        """The cluster in a role."""
        return self.mentor_id if role == "mentor" else self.learner_id

    def answer_of(self, role: Role) -> str | None:
        """The answer of a side: accepted, declined, or None."""
        return self.mentor_answer if role == "mentor" else self.learner_answer

    def set_answer(self, role: Role, answer: str) -> None:
        """Store the answer of a side."""
        if role == "mentor":
            self.mentor_answer = answer
        else:
            self.learner_answer = answer


class ReplanCause(Base):
    """An event that changed supply or demand of a cluster and has not led to a replan yet."""

    __tablename__ = "replan_cause"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    type: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = date_limits("recorded_at")


class ResolvedRequest(Base):
    """A service request for which mentors were proposed, or none was found. A replay proposes none again."""

    __tablename__ = "resolved_request"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
