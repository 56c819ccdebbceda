"""Runs that are being made, that failed, that were cancelled; pairs that were withdrawn; criteria with names."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "matching_0003"
down_revision = "matching_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("progress", sa.Integer, nullable=False, server_default="1000"))
    op.add_column("run", sa.Column("tries", sa.Integer, nullable=False, server_default="1"))
    op.add_column("run", sa.Column("beat_at", sa.DateTime(timezone=True)))
    op.add_column("run", sa.Column("reason", sa.Text))
    op.drop_constraint("ck_run_state", "run")
    op.create_check_constraint(
        op.f("ck_run_state"), "run", "state IN ('running', 'draft', 'published', 'failed', 'cancelled')"
    )
    op.drop_constraint("ck_pair_state", "pair")
    op.create_check_constraint(
        op.f("ck_pair_state"), "pair", "state IN ('draft', 'proposed', 'accepted', 'declined', 'withdrawn')"
    )
    op.create_index(
        "uq_run_running", "run", ["consortium_id"], unique=True, postgresql_where=sa.text("state = 'running'")
    )
    op.add_column("request", sa.Column("asked_on", sa.Date))
    op.create_table(
        "criteria_set",
        sa.Column("id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("criteria", pg.JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint("state IN ('draft', 'published')", name=op.f("ck_criteria_set_state")),
        sa.UniqueConstraint("consortium_id", "name", "number", name=op.f("uq_criteria_set_consortium_id_name_number")),
    )
    op.add_column("run", sa.Column("criteria_set_id", sa.Uuid))
    op.create_foreign_key(
        op.f("fk_run_criteria_set_id_criteria_set"), "run", "criteria_set", ["criteria_set_id"], ["id"]
    )
