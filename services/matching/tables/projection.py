"""The projection: matching's copy of what it needs from other services' events.

Rows have the version of their event, so that an older event never overwrites a newer one. No foreign key refers to the
projection, because events of different services arrive in any order.
"""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.matching.tables.base import Base
from shared.db import date_limits


class Cluster(Base):
    """Projection: clusters."""

    __tablename__ = "cluster"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    name: Mapped[str]
    country: Mapped[str]
    languages: Mapped[list[str]]
    ecosystems: Mapped[list[str]]
    stages: Mapped[list[str]]
    label: Mapped[str] = mapped_column(server_default="none")
    label_valid_until: Mapped[date | None]
    version: Mapped[int]

    __table_args__ = date_limits("label_valid_until")


class Archived(Base):
    """Projection: archived clusters."""

    __tablename__ = "archived"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)


class Level(Base):
    """Projection: current level per cluster and indicator."""

    __tablename__ = "level"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    scale_max: Mapped[int]
    assessed_on: Mapped[date]
    version: Mapped[int]

    __table_args__ = date_limits("assessed_on")


class Measurement(Base):
    """Projection: level history, one row per assessment and indicator."""

    __tablename__ = "measurement"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    assessed_on: Mapped[date]

    __table_args__ = date_limits("assessed_on")


class Target(Base):
    """Projection: target level per cluster and indicator."""

    __tablename__ = "target"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    priority: Mapped[int]
    version: Mapped[int]


class Request(Base):
    """Projection: service requests. `event_id` is NULL for requests from before replans named their causes."""

    __tablename__ = "request"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(index=True)
    framework: Mapped[str]
    indicator: Mapped[str]
    urgency: Mapped[int]
    requested_on: Mapped[date | None]
    event_id: Mapped[UUID | None]

    __table_args__ = date_limits("requested_on")


class Gain(Base):
    """Projection: levels that a cluster gained in an activity, as the host reported them."""

    __tablename__ = "gain"

    activity_id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    gain: Mapped[int]
    ended_on: Mapped[date]

    __table_args__ = date_limits("ended_on")


class Activity(Base):
    """Projection: activities. `title`, `starts_on` and `teaches` are of the publication, which may arrive last."""

    __tablename__ = "activity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    host_id: Mapped[UUID]
    kind: Mapped[str]
    title: Mapped[str | None]
    starts_on: Mapped[date | None]
    teaches: Mapped[list[dict[str, Any]]]
    completed: Mapped[bool]

    __table_args__ = date_limits("starts_on")


PROJECTED: tuple[type[Base], ...] = (Cluster, Archived, Level, Measurement, Target, Request, Gain, Activity)
"""Tables that contain nothing but data of events."""
