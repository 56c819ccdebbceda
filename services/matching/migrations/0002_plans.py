"""Labels of clusters, plans of runs, when pairs were decided."""

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
