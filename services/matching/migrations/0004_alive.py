"""Events cause new plans; proposals name the event that caused them, expire, and are declined with a reason."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "matching_0004"
down_revision = "matching_0003"
branch_labels = None
depends_on = None

RUN = "state IN ('running', 'draft', 'published', 'failed', 'cancelled', 'unchanged')"
PAIR = "state IN ('draft', 'proposed', 'accepted', 'declined', 'expired', 'withdrawn')"


def upgrade() -> None:
    op.add_column("run", sa.Column("causes", pg.JSONB, nullable=False, server_default="[]"))
    op.drop_constraint("ck_run_state", "run")
    op.create_check_constraint(op.f("ck_run_state"), "run", RUN)
    op.add_column("pair", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("pair", sa.Column("reason", sa.Text))
    op.add_column("pair", sa.Column("cause", pg.JSONB))
    op.drop_constraint("ck_pair_state", "pair")
    op.create_check_constraint(op.f("ck_pair_state"), "pair", PAIR)
    op.create_index("ix_pair_expires", "pair", ["expires_at"], postgresql_where=sa.text("state = 'proposed'"))
    op.add_column("request", sa.Column("event_id", sa.Uuid))
    op.create_table(
        "replan_cause",
        sa.Column("event_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("cluster_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False, index=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    )
