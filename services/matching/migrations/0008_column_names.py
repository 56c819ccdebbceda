"""Names of tables and columns follow the glossary; stored plans name their optimality gap."""

from alembic import op

revision = "matching_0008"
down_revision = "matching_0007"
branch_labels = None
depends_on = None

TABLES = (("places", "slots"), ("answered_request", "resolved_request"), ("meeting_of", "meeting_mentorship"))
COLUMNS = (
    ("run", "beat_at", "heartbeat_at"),
    ("run", "tries", "attempts"),
    ("slots", "side", "role"),
    ("check_in", "side", "role"),
    ("survey", "side", "role"),
    ("request", "asked_on", "requested_on"),
    ("replan_cause", "at", "recorded_at"),
    ("mentorship", "last_sign_at", "last_activity_at"),
    ("mentorship", "nudged", "last_reminder_day"),
    ("mentorship", "surveyed", "last_survey_day"),
)
CONSTRAINTS = (
    ("slots", "pk_places", "pk_slots"),
    ("slots", "ck_places_side", "ck_slots_role"),
    ("slots", "ck_places_used", "ck_slots_used"),
    ("check_in", "ck_check_in_side", "ck_check_in_role"),
    ("survey", "ck_survey_side", "ck_survey_role"),
    ("pair", "ck_pair_two", "ck_pair_different_clusters"),
    ("resolved_request", "pk_answered_request", "pk_resolved_request"),
    ("meeting_mentorship", "pk_meeting_of", "pk_meeting_mentorship"),
    (
        "meeting_mentorship",
        "fk_meeting_of_mentorship_id_mentorship",
        "fk_meeting_mentorship_mentorship_id_mentorship",
    ),
    ("meeting_mentorship", "fk_meeting_of_meeting_id_meeting", "fk_meeting_mentorship_meeting_id_meeting"),
)
INDEXES = (
    ("ix_meeting_of_meeting_id", "ix_meeting_mentorship_meeting_id"),
    ("ix_mentorship_last_sign", "ix_mentorship_last_activity"),
)
PLANS = ("run", "what_if")


def upgrade() -> None:
    for old, new in TABLES:
        op.execute(f"ALTER TABLE {old} RENAME TO {new}")
    for table, old, new in COLUMNS:
        op.execute(f'ALTER TABLE {table} RENAME COLUMN "{old}" TO {new}')
    for table, old, new in CONSTRAINTS:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
    for old, new in INDEXES:
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
    for table in PLANS:
        op.execute(
            f"UPDATE {table} SET plan = (plan - 'cut') || jsonb_build_object('optimality_gap', plan -> 'cut')"  # noqa: S608  constants
            " WHERE plan ? 'cut'"
        )
