"""Clusters as others tell of them, activities, registrations; outbox and inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.messaging_tables import MESSAGING_TABLES_V1

revision = "trainings_0001"
down_revision = None
branch_labels = None
depends_on = None

TEXTS = pg.ARRAY(sa.Text)


def upgrade() -> None:
    for statement in MESSAGING_TABLES_V1:
        op.execute(statement)
    op.create_table(
        "cluster",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("consortium_id", sa.Uuid, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    _activities()
    _registrations()


def _activities() -> None:
    op.create_table(
        "activity",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("consortium_id", sa.Uuid, nullable=False),
        sa.Column("host_cluster_id", sa.Uuid, sa.ForeignKey("cluster.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("seats_taken", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("teaches", pg.JSONB, nullable=False),
        sa.Column("sector_groups", TEXTS, nullable=False),
        sa.Column("deliverables", TEXTS, nullable=False),
        sa.Column("topics", TEXTS, nullable=False),
        sa.Column("illustrative", TEXTS, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("starts_on <= ends_on", "period"),
        sa.CheckConstraint("seats_taken BETWEEN 0 AND capacity", "seats"),
        sa.CheckConstraint("state IN ('draft', 'published', 'completed')", "state"),
    )
    op.create_index("ix_activity_consortium", "activity", ["consortium_id", "starts_on", "id"])
    op.create_index("ix_activity_starts_on", "activity", ["starts_on", "id"])


def _registrations() -> None:
    op.create_table(
        "registration",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("activity_id", sa.Uuid, sa.ForeignKey("activity.id"), nullable=False),
        sa.Column("cluster_id", sa.Uuid, sa.ForeignKey("cluster.id"), nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("queue", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("seats BETWEEN 1 AND 20", "seats"),
        sa.CheckConstraint("state IN ('confirmed', 'waitlisted', 'cancelled', 'attended', 'absent')", "state"),
    )
    op.create_index("ix_registration_activity", "registration", ["activity_id", "queue"])
    op.create_index(
        "uq_registration_live",
        "registration",
        ["activity_id", "cluster_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
