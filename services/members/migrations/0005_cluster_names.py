"""Find clusters whose names are equal but for case, spaces and characters nobody sees."""

from alembic import op

revision = "members_0005"
down_revision = "members_0004"
branch_labels = None
depends_on = None

_UNSEEN = (
    r"[ \u00ad\u034f\u061c\u1680\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)


def upgrade() -> None:
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION name_key(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN lower(regexp_replace(normalize(name, NFKC), '{_UNSEEN}', '', 'g'))
        """
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_cluster_name_key")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_cluster_name_key ON cluster (consortium_id, name_key(name))"
            " WHERE NOT archived"
        )
