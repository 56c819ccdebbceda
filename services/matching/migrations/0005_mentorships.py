"""Accepted pairs work together: mentorships; and what clusters could after each assessment, for the ledger."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "matching_0005"
down_revision = "matching_0004"
branch_labels = None
depends_on = None

PAIR = "state IN ('draft', 'proposed', 'accepted', 'declined', 'expired', 'withdrawn', 'ended')"
SIDE = "side IN ('mentor', 'learner')"
BEGUN = """
    INSERT INTO mentorship (id, state, every_days, ends_on, agreement, last_sign_at, nudged, surveyed, version)
    SELECT id, 'agreed', 14, current_date + 182, 'We work together: a meeting every two weeks for half a year.',
           now(), 0, 0, 1
    FROM pair WHERE state = 'accepted'
"""


def upgrade() -> None:
    op.drop_constraint("ck_pair_state", "pair")
    op.create_check_constraint(op.f("ck_pair_state"), "pair", PAIR)
    op.create_index("ix_pair_learner", "pair", ["learner_id"])
    _mentorships()
    _work()
    op.create_table(
        "measurement",
        sa.Column("cluster_id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("framework", sa.Text, primary_key=True, nullable=False),
        sa.Column("indicator", sa.Text, primary_key=True, nullable=False),
        sa.Column("version", sa.Integer, primary_key=True, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("assessed_on", sa.Date, nullable=False),
    )
    op.create_table(
        "activity",
        sa.Column("id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("consortium_id", sa.Uuid, nullable=False, index=True),
        sa.Column("host_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("starts_on", sa.Date),
        sa.Column("teaches", pg.JSONB, nullable=False),
        sa.Column("completed", sa.Boolean, nullable=False),
    )
    op.create_table("archived", sa.Column("cluster_id", sa.Uuid, primary_key=True, nullable=False))
    op.execute(BEGUN)


def _when(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **more)


def _mentorships() -> None:
    op.create_table(
        "mentorship",
        sa.Column("id", sa.Uuid, sa.ForeignKey("pair.id"), primary_key=True, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("every_days", sa.Integer, nullable=False),
        sa.Column("ends_on", sa.Date, nullable=False),
        sa.Column("agreement", sa.Text, nullable=False),
        _when("mentor_confirmed_at"),
        _when("learner_confirmed_at"),
        _when("started_at"),
        _when("ended_at"),
        sa.Column("reason", sa.Text),
        _when("last_sign_at", nullable=False),
        sa.Column("nudged", sa.Integer, nullable=False),
        sa.Column("surveyed", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Integer),
        _when("confirmed_at"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('agreed', 'active', 'completed', 'ended')", name=op.f("ck_mentorship_state")),
        sa.CheckConstraint(
            "(state IN ('completed', 'ended')) = (ended_at IS NOT NULL)", name=op.f("ck_mentorship_ended")
        ),
    )
    op.create_index(
        "ix_mentorship_last_sign", "mentorship", ["last_sign_at"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "goal",
        sa.Column("mentorship_id", sa.Uuid, sa.ForeignKey("mentorship.id"), primary_key=True, nullable=False),
        sa.Column("framework", sa.Text, primary_key=True, nullable=False),
        sa.Column("indicator", sa.Text, primary_key=True, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("target", sa.Integer, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("reached", sa.Integer, nullable=False),
        sa.Column("confirmed", sa.Integer),
        sa.Column("confirmed_on", sa.Date),
    )


def _work() -> None:
    op.create_table(
        "meeting",
        sa.Column("id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("mentor_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("people", pg.JSONB, nullable=False),
        sa.Column("notes", pg.JSONB, nullable=False),
        sa.Column("follow_ups", pg.JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("state IN ('planned', 'held', 'cancelled')", name=op.f("ck_meeting_state")),
    )
    op.create_table(
        "meeting_of",
        sa.Column("mentorship_id", sa.Uuid, sa.ForeignKey("mentorship.id"), primary_key=True, nullable=False),
        sa.Column("meeting_id", sa.Uuid, sa.ForeignKey("meeting.id"), primary_key=True, nullable=False, index=True),
    )
    op.create_table(
        "check_in",
        sa.Column("id", sa.Uuid, primary_key=True, nullable=False),
        sa.Column("mentorship_id", sa.Uuid, sa.ForeignKey("mentorship.id"), nullable=False, index=True),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("feeling", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        _when("at", nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint(SIDE, name=op.f("ck_check_in_side")),
    )
    op.create_table(
        "survey",
        sa.Column("mentorship_id", sa.Uuid, sa.ForeignKey("mentorship.id"), primary_key=True, nullable=False),
        sa.Column("day", sa.Integer, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("side", sa.Text, primary_key=True, nullable=False),
        sa.Column("useful", sa.Integer, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        _when("at", nullable=False, server_default=sa.func.now()),
        sa.CheckConstraint(SIDE, name=op.f("ck_survey_side")),
    )
