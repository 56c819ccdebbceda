"""The tables of members. Each event of a cluster increments the cluster's `version`."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates
from sqlalchemy.types import Text

from services.members.rules.levels import IndicatorScore
from services.members.rules.names import name_key
from services.members.rules.vocabulary import AssessmentKind
from shared import db


class Base(DeclarativeBase):
    """The declarative base of members."""

    metadata = db.metadata()
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own convention
        str: Text,
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        datetime: DateTime(timezone=True),
    }


metadata = Base.metadata


class Consortium(Base):
    """A group of clusters in one programme, with one coordinator."""

    __tablename__ = "consortium"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    programme: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    coordinator_slug: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        *db.date_limits("starts_on", "ends_on"),
        CheckConstraint("starts_on <= ends_on", name="period"),
    )


class Cluster(Base):
    """A regional business network with a management team."""

    __tablename__ = "cluster"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consortium_id: Mapped[UUID] = mapped_column(ForeignKey("consortium.id"))
    slug: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str | None]
    country: Mapped[str]
    region: Mapped[str | None]
    founded_on: Mapped[str | None]
    website: Mapped[str | None]
    ecosystems: Mapped[list[str]]
    languages: Mapped[list[str]]
    value_chain_stages: Mapped[list[str]]
    specialisation: Mapped[str | None]
    label: Mapped[str]
    label_valid_until: Mapped[date | None]
    label_expired: Mapped[bool] = mapped_column(server_default="false", default=False)
    illustrative: Mapped[list[str]]
    mentor_capacity: Mapped[int]
    learner_capacity: Mapped[int]
    archived: Mapped[bool] = mapped_column(server_default="false", default=False)
    version: Mapped[int] = mapped_column(default=1)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        *db.date_limits("label_valid_until", "changed_at"),
        UniqueConstraint("consortium_id", "slug"),
        Index("ix_cluster_name_key", "consortium_id", "name_key"),
        CheckConstraint("mentor_capacity >= 0 AND learner_capacity >= 0", name="capacity"),
    )

    @validates("name")
    def _set_name_key(self, _: str, name: str) -> str:
        self.name_key = name_key(name)
        return name

    @property
    def cluster_id(self) -> UUID:
        """Its id, under the name that it has in events."""
        return self.id


class Framework(Base):
    """A versioned list of indicators with a scale. It is never changed: a new version has a new code."""

    __tablename__ = "framework"

    code: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    scale_max: Mapped[int]
    indicators: Mapped[list[dict[str, Any]]]

    def indicator_codes(self) -> list[str]:
        """The codes of its indicators."""
        return [indicator["code"] for indicator in self.indicators]


class Assessment(Base):
    """The scores of one cluster in one framework on one day."""

    __tablename__ = "assessment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    framework: Mapped[str] = mapped_column(ForeignKey("framework.code"))
    kind: Mapped[str]
    assessed_on: Mapped[date]
    valid_until: Mapped[date]
    scores: Mapped[dict[str, Any]]
    illustrative: Mapped[bool]

    __table_args__ = (
        *db.date_limits("assessed_on", "valid_until"),
        UniqueConstraint("cluster_id", "framework", "kind", "assessed_on"),
        Index("ix_assessment_cluster", "cluster_id", "framework"),
    )

    def indicator_scores(self) -> Iterator[IndicatorScore]:
        """Its scores, one by one."""
        for indicator, score in self.scores.items():
            yield IndicatorScore(
                self.id, indicator, score, AssessmentKind(self.kind), self.assessed_on, self.valid_until
            )


class Target(Base):
    """The level a cluster wants to reach in an indicator."""

    __tablename__ = "target"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    framework: Mapped[str] = mapped_column(ForeignKey("framework.code"), primary_key=True)
    indicator: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    priority: Mapped[int]
    illustrative: Mapped[bool]

    __table_args__ = (CheckConstraint("priority BETWEEN 1 AND 5", name="priority"),)


class ServiceRequest(Base):
    """A cluster asks for help in an indicator. A cluster has at most one open request for an indicator."""

    __tablename__ = "service_request"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID]
    consortium_id: Mapped[UUID]
    framework: Mapped[str]
    indicator: Mapped[str]
    urgency: Mapped[int]
    text: Mapped[str]
    state: Mapped[str] = mapped_column(default="requested")
    illustrative: Mapped[bool]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        *db.date_limits("requested_at"),
        ForeignKeyConstraint(["cluster_id"], ["cluster.id"]),
        CheckConstraint("urgency BETWEEN 1 AND 5", name="urgency"),
        Index(
            "uq_service_request_open",
            "cluster_id",
            "framework",
            "indicator",
            unique=True,
            postgresql_where="state = 'requested'",
        ),
    )
