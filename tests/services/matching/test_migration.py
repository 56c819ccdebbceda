"""Migration 0008 renames tables and columns, and the key `cut` of stored plans; all rows stay."""

import json
from uuid import UUID

import asyncpg

from deploy.migrate import differences, upgrade
from tests.support.connection import database_connection

CONSORTIUM, MENTOR, ID = (UUID(int=n) for n in range(1, 4))
PLANS = {"total": 5000, "cut": 12}, {"total": 0, "cut": None}
BEFORE = """
    INSERT INTO run (id, consortium_id, state, total, criteria, inputs, inputs_hash, solver, plan, tries, beat_at,
                     version)
    VALUES ($1, $2, 'draft', 0, '{}', '{"cut": 1}', '', '', $3, 3, '2020-01-02 03:04:05+00', 2)
    ---
    INSERT INTO run (id, consortium_id, state, total, criteria, inputs, inputs_hash, solver, version)
    VALUES ($4, $2, 'failed', 0, '{}', '{}', '', '', 2)
    ---
    INSERT INTO what_if (id, consortium_id, name, inputs, only_the_plan, plan, comparison, took_ms)
    VALUES ($1, $2, 'w', '{}', true, $5, '{}', 1)
    ---
    INSERT INTO places (cluster_id, side, capacity, used, ceiling, version) VALUES ($4, 'mentor', 2, 1, 2, 7)
    ---
    INSERT INTO answered_request (request_id) VALUES ($1)
    ---
    INSERT INTO request (id, cluster_id, framework, indicator, urgency, asked_on)
    VALUES ($1, $4, 'f', 'i', 2, '2020-01-02')
    ---
    INSERT INTO replan_cause (event_id, cluster_id, consortium_id, type, at)
    VALUES ($1, $4, $2, 't', '2020-01-02 03:04:05+00')
    ---
    INSERT INTO pair (id, consortium_id, mentor_id, learner_id, score, terms, state, events, version)
    VALUES ($1, $2, $4, $1, 0, '[]', 'accepted', 1, 1)
    ---
    INSERT INTO mentorship (id, state, every_days, ends_on, agreement, last_sign_at, nudged, surveyed, version)
    VALUES ($1, 'active', 14, '2020-06-30', 'a', '2020-01-02 03:04:05+00', 60, 30, 1)
    ---
    INSERT INTO meeting (id, mentor_id, state, "on", minutes, people, notes, follow_ups, version)
    VALUES ($1, $4, 'held', '2020-01-02', 60, '{}', '{}', '[]', 1)
    ---
    INSERT INTO meeting_of (mentorship_id, meeting_id) VALUES ($1, $1)
    ---
    INSERT INTO check_in (id, mentorship_id, side, feeling, text) VALUES ($1, $1, 'mentor', 4, '')
    ---
    INSERT INTO survey (mentorship_id, day, side, useful, again, text) VALUES ($1, 30, 'learner', 4, true, '')
"""
AFTER = {
    "SELECT attempts, heartbeat_at::text FROM run WHERE state = 'draft'": (3, "2020-01-02 03:04:05+00"),
    "SELECT inputs::text FROM run WHERE state = 'draft'": ('{"cut": 1}',),
    "SELECT plan FROM run WHERE state = 'failed'": (None,),
    "SELECT role, capacity, used, ceiling, version FROM slots": ("mentor", 2, 1, 2, 7),
    "SELECT request_id FROM resolved_request": (ID,),
    "SELECT requested_on::text FROM request": ("2020-01-02",),
    "SELECT recorded_at::text FROM replan_cause": ("2020-01-02 03:04:05+00",),
    "SELECT last_activity_at::text, last_reminder_day, last_survey_day FROM mentorship": (
        "2020-01-02 03:04:05+00",
        60,
        30,
    ),
    "SELECT mentorship_id, meeting_id FROM meeting_mentorship": (ID, ID),
    "SELECT role, feeling FROM check_in": ("mentor", 4),
    "SELECT role, useful FROM survey": ("learner", 4),
}
STORED_PLANS = "SELECT plan::text FROM run WHERE state = 'draft' UNION ALL SELECT plan::text FROM what_if"


async def test_tables_and_columns_are_renamed_and_their_rows_stay(database_url: str) -> None:
    await upgrade("matching", database_url, "matching_0007")
    async with database_connection(database_url) as connection:
        for statement in BEFORE.split("---"):
            await _insert(connection, statement)
        await upgrade("matching", database_url)
        for query, row in AFTER.items():
            assert tuple(await connection.fetchrow(query)) == row
        plans = [json.loads(row["plan"]) for row in await connection.fetch(STORED_PLANS)]
    assert plans == [{"total": 5000, "optimality_gap": 12}, {"total": 0, "optimality_gap": None}]
    assert await differences("matching", database_url) == []


async def _insert(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    values = {"$1": ID, "$2": CONSORTIUM, "$3": json.dumps(PLANS[0]), "$4": MENTOR, "$5": json.dumps(PLANS[1])}
    used = [name for name in values if name in statement]
    for number, name in enumerate(used, 1):
        statement = statement.replace(name, f"${number}")
    await connection.execute(statement, *(values[name] for name in used))
