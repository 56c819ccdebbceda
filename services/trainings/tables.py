"""The tables of trainings.

An activity has two versions. `version` counts all changes, also of drafts and attendance: it is the ETag.
`event_version` is the version of its newest event: a draft has no events, and the versions of an aggregate's events
have no gap. A registration, cancellation or completion locks the activity's row first, so that seats, queue and events
have one order.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, query_expression
from sqlalchemy.types import Text

from shared import db


class Base(DeclarativeBase):
    """The declarative base of trainings."""

    metadata = db.metadata()
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own convention
        str: Text,
        list[str]: ARRAY(Text),
        list[dict[str, Any]]: JSONB,
        datetime: DateTime(timezone=True),
    }


metadata = Base.metadata


class Cluster(Base):
    """Projection: name and consortium of a cluster, with the version of the newest event of members."""

    __tablename__ = "cluster"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID]
    slug: Mapped[str]
    name: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)


class Archived(Base):
    """Projection: clusters that have left. This event may arrive before the cluster's registration."""

    __tablename__ = "archived"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)


class Activity(Base):
    """A joint training, study visit, peer review or matchmaking talk."""

    __tablename__ = "activity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID]
    host_cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    kind: Mapped[str]
    title: Mapped[str]
    place: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    capacity: Mapped[int]
    seats_taken: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="draft")
    teaches: Mapped[list[dict[str, Any]]]
    sector_groups: Mapped[list[str]]
    deliverables: Mapped[list[str]]
    topics: Mapped[list[str]]
    illustrative: Mapped[list[str]]
    version: Mapped[int] = mapped_column(default=1)
    event_version: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        *db.date_limits("starts_on", "ends_on", "changed_at"),
        CheckConstraint("starts_on <= ends_on", name="period"),
        CheckConstraint("seats_taken BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint("state IN ('draft', 'published', 'completed')", name="state"),
        Index("ix_activity_consortium", "consortium_id", "starts_on", "id"),
        Index("ix_activity_starts_on", "starts_on", "id"),
    )

    @property
    def activity_id(self) -> UUID:
        """Its id, under the name that it has in events."""
        return self.id


class Registration(Base):
    """A cluster's seats in an activity. `queue` is the order of arrival."""

    __tablename__ = "registration"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(ForeignKey("activity.id"))
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    seats: Mapped[int]
    state: Mapped[str]
    queue: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())
    place_in_queue: Mapped[int | None] = query_expression()
    """Computed: 1 is next; None if the registration is not waitlisted, or was loaded without it."""

    __table_args__ = (
        *db.date_limits("registered_at"),
        CheckConstraint("seats BETWEEN 1 AND 20", name="seats"),
        CheckConstraint("state IN ('confirmed', 'waitlisted', 'cancelled', 'attended', 'absent')", name="state"),
        Index("ix_registration_activity", "activity_id", "queue"),
        Index(
            "uq_registration_live", "activity_id", "cluster_id", unique=True, postgresql_where="state <> 'cancelled'"
        ),
    )
