"""Find clusters whose names are equal but for case, spaces and characters nobody sees."""

import sqlalchemy as sa
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
    op.add_column("cluster", sa.Column("name_key", sa.Text()))
    key = f"lower(regexp_replace(normalize(name, NFKC), '{_UNSEEN}', '', 'g'))"
    op.execute(f"UPDATE cluster SET name_key = {key}")  # noqa: S608  the key is the constant above
    op.create_index("ix_cluster_name_key", "cluster", ["consortium_id", "name_key"])
