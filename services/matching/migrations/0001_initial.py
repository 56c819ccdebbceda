"""The projection, runs and pairs; outbox and inbox."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.messaging_tables import MESSAGING_TABLES_V1

revision = "matching_0001"
down_revision = None
branch_labels = None
depends_on = None

TEXTS = pg.ARRAY(sa.Text)


def upgrade() -> None:
    for statement in MESSAGING_TABLES_V1:
        op.execute(statement)
    _clusters()
    _needs()
    _runs()
    _pairs()


def _id(name: str = "id", *, key: bool = False, index: bool | None = None) -> sa.Column[UUID]:
    return sa.Column(name, sa.Uuid, primary_key=key, nullable=False, index=index)


def _skill() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in ("framework", "indicator")]


def _clusters() -> None:
    op.create_table(
        "cluster",
        _id(key=True),
        _id("consortium_id", index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("languages", TEXTS, nullable=False),
        sa.Column("ecosystems", TEXTS, nullable=False),
        sa.Column("stages", TEXTS, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "places",
        _id("cluster_id", key=True),
        sa.Column("side", sa.Text, primary_key=True),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("ceiling", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("side IN ('mentor', 'learner')", "side"),
        sa.CheckConstraint("used BETWEEN 0 AND ceiling", "used"),
    )


def _needs() -> None:
    op.create_table(
        "level",
        _id("cluster_id", key=True),
        *_skill(),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("scale_max", sa.Integer, nullable=False),
        sa.Column("assessed_on", sa.Date, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "target",
        _id("cluster_id", key=True),
        *_skill(),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "request",
        _id(key=True),
        _id("cluster_id", index=True),
        sa.Column("framework", sa.Text, nullable=False),
        sa.Column("indicator", sa.Text, nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
    )
    op.create_table(
        "gain",
        _id("activity_id", key=True),
        _id("cluster_id", key=True),
        *_skill(),
        sa.Column("gain", sa.Integer, nullable=False),
        sa.Column("ended_on", sa.Date, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "run",
        _id(key=True),
        _id("consortium_id", index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("criteria", pg.JSONB, nullable=False),
        sa.Column("inputs", pg.JSONB, nullable=False),
        sa.Column("inputs_hash", sa.Text, nullable=False),
        sa.Column("solver", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("state IN ('draft', 'published')", "state"),
    )


def _pairs() -> None:
    op.create_table(
        "pair",
        _id(key=True),
        _id("consortium_id", index=True),
        sa.Column("run_id", sa.Uuid, sa.ForeignKey("run.id"), index=True),
        sa.Column("request_id", sa.Uuid),
        _id("mentor_id"),
        _id("learner_id"),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("terms", pg.JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("mentor_answer", sa.Text),
        sa.Column("learner_answer", sa.Text),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('draft', 'proposed', 'accepted', 'declined')", "state"),
        sa.CheckConstraint("mentor_id <> learner_id", "two"),
    )
    op.create_index(
        "uq_pair_live",
        "pair",
        ["mentor_id", "learner_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('proposed', 'accepted')"),
    )
    op.create_table("answered_request", _id("request_id", key=True))
