"""Which clusters have left."""

import sqlalchemy as sa
from alembic import op

revision = "trainings_0002"
down_revision = "trainings_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("archived", sa.Column("cluster_id", sa.Uuid, primary_key=True, nullable=False))
