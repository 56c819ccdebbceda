"""The tables of notifications. The feed is the outbox: forwarded events get their gap-free positions there."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import Text

from shared import db


class Base(DeclarativeBase):
    """The declarative base of notifications."""

    metadata = db.metadata()
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own convention
        str: Text,
        bytes: LargeBinary,
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
        datetime: DateTime(timezone=True),
    }


metadata = Base.metadata


class Partner(Base):
    """A system or organisation that reads the feed. No types means all public types, also future ones."""

    __tablename__ = "partner"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    types: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    keys: Mapped[list["ApiKey"]] = relationship(
        lazy="raise", order_by=lambda: (ApiKey.created_at, ApiKey.prefix), viewonly=True
    )


class ApiKey(Base):
    """A key of a partner, stored as a hash. A partner may have several valid keys at the same time."""

    __tablename__ = "api_key"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[bytes]
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partner.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class Notice(Base):
    """A note for a cluster that an event concerns it; without a cluster, for the coordinator of the consortium."""

    __tablename__ = "notice"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    consortium_id: Mapped[UUID]
    cluster_id: Mapped[UUID | None]
    kind: Mapped[str]
    subjects: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    read_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("event_id", "cluster_id", postgresql_nulls_not_distinct=True),
        Index("ix_notice_cluster", "cluster_id", "id"),
        Index("ix_notice_consortium", "consortium_id", "id"),
    )
