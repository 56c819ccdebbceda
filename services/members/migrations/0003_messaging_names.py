"""Clearer names of columns and indexes of the messaging tables."""

from alembic import op

from shared.messaging_tables import MESSAGING_TABLES_V2

revision = "members_0003"
down_revision = "members_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in MESSAGING_TABLES_V2:
        op.execute(statement)
