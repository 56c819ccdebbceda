"""Partners with their keys, notices; outbox and inbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

from shared.messaging_tables import MESSAGING_TABLES_V1

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for statement in MESSAGING_TABLES_V1:
        op.execute(statement)
    op.create_table(
        "partner",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("types", pg.ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "api_key",
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("partner_id", sa.Uuid, sa.ForeignKey("partner.id"), nullable=False, index=True),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("revoked_at", MOMENT),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False),
        sa.Column("cluster_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subjects", pg.JSONB, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("read_at", MOMENT),
        sa.UniqueConstraint("event_id", "cluster_id", postgresql_nulls_not_distinct=True),
    )
    op.create_index("ix_notice_cluster", "notice", ["cluster_id", "id"])
    op.create_index("ix_notice_consortium", "notice", ["consortium_id", "id"])
