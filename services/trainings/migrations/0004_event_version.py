"""A clearer name for the version of an activity's newest event."""

from alembic import op

revision = "trainings_0004"
down_revision = "trainings_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("activity", "events", new_column_name="event_version")
