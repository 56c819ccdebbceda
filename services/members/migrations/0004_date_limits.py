"""Days and times within limits that every hop can carry; stored values outside them become the nearest limit."""

from alembic import op

revision = "members_0004"
down_revision = "members_0003"
branch_labels = None
depends_on = None

DAYS = (
    ("consortium", "starts_on"),
    ("consortium", "ends_on"),
    ("cluster", "label_valid_until"),
    ("assessment", "assessed_on"),
    ("assessment", "valid_until"),
)
TIMES = (
    ("cluster", "changed_at"),
    ("service_request", "requested_at"),
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
    if (table, column) == ("assessment", "assessed_on"):
        _spread_assessments()
    op.execute(f'UPDATE {table} SET "{column}" = {first} WHERE "{column}" < {first}')  # noqa: S608  constants
    op.execute(f'UPDATE {table} SET "{column}" = {last} WHERE "{column}" > {last}')  # noqa: S608  constants
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def _spread_assessments() -> None:
    """Move assessments from before the first day to the first days that are free: their day is part of a unique key."""
    op.execute(
        """
        WITH late AS (
            SELECT id, cluster_id, framework, kind,
                   row_number() OVER (PARTITION BY cluster_id, framework, kind ORDER BY assessed_on, id) AS place
            FROM assessment WHERE assessed_on < DATE '1900-01-01'
        ), spread AS (
            SELECT late.id, (
                SELECT day::date FROM generate_series(DATE '1900-01-01', DATE '2200-12-31', INTERVAL '1 day') AS day
                WHERE NOT EXISTS (
                    SELECT FROM assessment AS other
                    WHERE (other.cluster_id, other.framework, other.kind, other.assessed_on)
                          = (late.cluster_id, late.framework, late.kind, day::date)
                )
                ORDER BY day OFFSET late.place - 1 LIMIT 1
            ) AS day
            FROM late
        )
        UPDATE assessment
        SET assessed_on = spread.day, valid_until = greatest(spread.day, least(valid_until, DATE '2200-12-31'))
        FROM spread WHERE assessment.id = spread.id
        """
    )
