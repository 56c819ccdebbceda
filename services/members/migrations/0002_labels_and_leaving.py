"""Whether the expiry of a label was told, and whether a cluster has left."""

import sqlalchemy as sa
from alembic import op

revision = "members_0002"
down_revision = "members_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("label_expired", "archived"):
        op.add_column("cluster", sa.Column(name, sa.Boolean, nullable=False, server_default="false"))
