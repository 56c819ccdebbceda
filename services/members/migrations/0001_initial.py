"""Consortia, clusters, frameworks, assessments, targets, service requests; outbox and inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.messaging_tables import MESSAGING_TABLES_V1

revision = "members_0001"
down_revision = None
branch_labels = None
depends_on = None

TEXTS = pg.ARRAY(sa.Text)


def upgrade() -> None:
    for statement in MESSAGING_TABLES_V1:
        op.execute(statement)
    _clusters()
    _assessments()
    _needs()


def _clusters() -> None:
    op.create_table(
        "consortium",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("programme", sa.Text, nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date, nullable=False),
        sa.Column("coordinator_slug", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", "period"),
    )
    op.create_table(
        "cluster",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("consortium_id", sa.Uuid, sa.ForeignKey("consortium.id"), nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("region", sa.Text),
        sa.Column("founded_on", sa.Text),
        sa.Column("website", sa.Text),
        sa.Column("ecosystems", TEXTS, nullable=False),
        sa.Column("languages", TEXTS, nullable=False),
        sa.Column("value_chain_stages", TEXTS, nullable=False),
        sa.Column("specialisation", sa.Text),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("label_valid_until", sa.Date),
        sa.Column("illustrative", TEXTS, nullable=False),
        sa.Column("mentor_capacity", sa.Integer, nullable=False),
        sa.Column("learner_capacity", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("consortium_id", "slug"),
        sa.CheckConstraint("mentor_capacity >= 0 AND learner_capacity >= 0", "capacity"),
    )


def _assessments() -> None:
    op.create_table(
        "framework",
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("scale_max", sa.Integer, nullable=False),
        sa.Column("indicators", pg.JSONB, nullable=False),
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("cluster_id", sa.Uuid, sa.ForeignKey("cluster.id"), nullable=False),
        sa.Column("framework", sa.Text, sa.ForeignKey("framework.code"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("assessed_on", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        sa.Column("scores", pg.JSONB, nullable=False),
        sa.Column("illustrative", sa.Boolean, nullable=False),
        sa.UniqueConstraint("cluster_id", "framework", "kind", "assessed_on"),
    )
    op.create_index("ix_assessment_cluster", "assessment", ["cluster_id", "framework"])


def _needs() -> None:
    op.create_table(
        "target",
        sa.Column("cluster_id", sa.Uuid, sa.ForeignKey("cluster.id"), primary_key=True),
        sa.Column("framework", sa.Text, sa.ForeignKey("framework.code"), primary_key=True),
        sa.Column("indicator", sa.Text, primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("illustrative", sa.Boolean, nullable=False),
        sa.CheckConstraint("priority BETWEEN 1 AND 5", "priority"),
    )
    op.create_table(
        "service_request",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("cluster_id", sa.Uuid, sa.ForeignKey("cluster.id"), nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False),
        sa.Column("framework", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("illustrative", sa.Boolean, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("urgency BETWEEN 1 AND 5", "urgency"),
    )
    op.create_index(
        "uq_service_request_open",
        "service_request",
        ["cluster_id", "framework", "indicator"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
