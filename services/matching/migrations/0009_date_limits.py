"""Days and times within limits that every hop can carry; stored values outside them become the nearest limit."""

from alembic import op

revision = "matching_0009"
down_revision = "matching_0008"
branch_labels = None
depends_on = None

DAYS = (
    ("cluster", "label_valid_until"),
    ("level", "assessed_on"),
    ("measurement", "assessed_on"),
    ("request", "requested_on"),
    ("gain", "ended_on"),
    ("activity", "starts_on"),
    ("mentorship", "ends_on"),
    ("goal", "due_on"),
    ("goal", "confirmed_on"),
    ("meeting", "on"),
)
TIMES = (
    ("criteria_set", "created_at"),
    ("run", "heartbeat_at"),
    ("run", "created_at"),
    ("what_if", "created_at"),
    ("pair", "decided_at"),
    ("pair", "expires_at"),
    ("replan_cause", "recorded_at"),
    ("mentorship", "mentor_confirmed_at"),
    ("mentorship", "learner_confirmed_at"),
    ("mentorship", "started_at"),
    ("mentorship", "ended_at"),
    ("mentorship", "last_activity_at"),
    ("mentorship", "confirmed_at"),
    ("check_in", "at"),
    ("survey", "at"),
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
