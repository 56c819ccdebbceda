"""Labels of clusters, plans of runs, what-ifs, when pairs were decided."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "matching_0002"
down_revision = "matching_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cluster", sa.Column("label", sa.Text, nullable=False, server_default="none"))
    op.add_column("cluster", sa.Column("label_valid_until", sa.Date))
    op.add_column("run", sa.Column("plan", pg.JSONB))
    op.add_column("run", sa.Column("took_ms", sa.Integer))
    op.add_column("pair", sa.Column("decided_at", sa.DateTime(timezone=True)))
    op.create_table(
        "what_if",
        sa.Column("id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("inputs", pg.JSONB, nullable=False),
        sa.Column("only_the_plan", sa.Boolean, nullable=False),
        sa.Column("plan", pg.JSONB, nullable=False),
        sa.Column("comparison", pg.JSONB, nullable=False),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
