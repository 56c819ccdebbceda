"""What matching knows by events of other services; no row of it is matching's own.

Rows carry the version of the event they come from, so that an older one never overwrites a newer. No foreign key leads
into the projection: events of different services arrive in any order.
"""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.matching.tables.base import Base


class Cluster(Base):
    """Projection: who the clusters are."""

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


class Archived(Base):
    """Projection: which clusters have left."""

    __tablename__ = "archived"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)


class Level(Base):
    """Projection: what a cluster can."""

    __tablename__ = "level"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    scale_max: Mapped[int]
    assessed_on: Mapped[date]
    version: Mapped[int]


class Measurement(Base):
    """Projection: what a cluster could after each of its assessments."""

    __tablename__ = "measurement"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    assessed_on: Mapped[date]


class Target(Base):
    """Projection: what a cluster wants to reach."""

    __tablename__ = "target"

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    priority: Mapped[int]
    version: Mapped[int]


class Request(Base):
    """Projection: what a cluster asks for."""

    __tablename__ = "request"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(index=True)
    framework: Mapped[str]
    indicator: Mapped[str]
    urgency: Mapped[int]
    asked_on: Mapped[date | None]
    event_id: Mapped[UUID | None]


class Gain(Base):
    """Projection: what a cluster gained in a training or visit, as its host reported; an assessment may confirm it."""

    __tablename__ = "gain"

    activity_id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    framework: Mapped[str] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    gain: Mapped[int]
    ended_on: Mapped[date]


class Activity(Base):
    """Projection: trainings and visits; the facts are of their publication, which may come after the completion."""

    __tablename__ = "activity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(index=True)
    host_id: Mapped[UUID]
    kind: Mapped[str]
    title: Mapped[str | None]
    starts_on: Mapped[date | None]
    teaches: Mapped[list[dict[str, Any]]]
    completed: Mapped[bool]


PROJECTED: tuple[type[Base], ...] = (Cluster, Archived, Level, Measurement, Target, Request, Gain, Activity)
"""Tables that hold nothing but what events said."""
