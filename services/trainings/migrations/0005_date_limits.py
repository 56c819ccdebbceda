"""Days and times within limits that every hop can carry; stored values outside them become the nearest limit."""

from alembic import op

revision = "trainings_0005"
down_revision = "trainings_0004"
branch_labels = None
depends_on = None

DAYS = (
    ("activity", "starts_on"),
    ("activity", "ends_on"),
)
TIMES = (
    ("activity", "changed_at"),
    ("registration", "registered_at"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():  # so that no table is locked for longer than a statement
        for table, column in DAYS:
            _limit(table, column, "DATE '1900-01-01'", "DATE '2200-12-31'")
        for table, column in TIMES:
            _limit(table, column, "TIMESTAMPTZ '1900-01-01T00:00:00Z'", "TIMESTAMPTZ '2200-12-31T23:59:59.999999Z'")


def _limit(table: str, column: str, first: str, last: str) -> None:
    name = f"ck_{table}_{column}_limits"
    # The constraint comes first, so that no row outside the limits is added after the update.
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name},"
        f' ADD CONSTRAINT {name} CHECK ("{column}" BETWEEN {first} AND {last}) NOT VALID'
    )
    op.execute(f'UPDATE {table} SET "{column}" = {first} WHERE "{column}" < {first}')  # noqa: S608  constants
    op.execute(f'UPDATE {table} SET "{column}" = {last} WHERE "{column}" > {last}')  # noqa: S608  constants
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
