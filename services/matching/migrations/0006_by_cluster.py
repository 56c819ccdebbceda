"""What is known of one cluster is found by its id: what it gained, and whom it mentored."""

from alembic import op

revision = "matching_0006"
down_revision = "matching_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_gain_cluster_id", "gain", ["cluster_id"])
    op.create_index("ix_pair_mentor", "pair", ["mentor_id"])
