"""A stored row that nothing can read stops the loops of no other consortium, and not the process.

No edge lets such a row in any more, so the tests drop the checks of the database before they plant it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
import structlog

from shared.transport.local import LocalTransport
from tests.services.matching.actions import Json, Matching, Member, learner, mentor
from tests.support import factories
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)

HEALTHY, POISONED = uuid4(), uuid4()
_OF_POISONED = {
    "pair": "consortium_id = $1",
    "run": "consortium_id = $1",
    "replan_cause": "consortium_id = $1",
    "cluster": "consortium_id = $1",
    "activity": "consortium_id = $1",
    "mentorship": "id IN (SELECT id FROM pair WHERE consortium_id = $1)",
    "goal": "mentorship_id IN (SELECT id FROM pair WHERE consortium_id = $1)",
    "meeting": "mentor_id IN (SELECT id FROM cluster WHERE consortium_id = $1)",
}
_OF_CLUSTER = "cluster_id IN (SELECT id FROM cluster WHERE consortium_id = $1)"
PLANTED = [
    ("pair", "expires_at", "'-infinity'"),
    ("pair", "decided_at", "'-infinity'"),
    ("pair", "decided_at", "'infinity'"),
    ("pair", "terms", "'\"no list\"'"),
    ("pair", "cause", "'[1]'"),
    ("mentorship", "last_activity_at", "'-infinity'"),
    ("mentorship", "started_at", "'-infinity'"),
    ("mentorship", "ends_on", "'infinity'"),
    ("goal", "due_on", "'-infinity'"),
    ("level", "assessed_on", "'-infinity'"),
    ("level", "assessed_on", "'infinity'"),
    ("measurement", "assessed_on", "'-infinity'"),
    ("gain", "ended_on", "'-infinity'"),
    ("request", "requested_on", "'infinity'"),
    ("cluster", "label_valid_until", "'-infinity'"),
    ("activity", "starts_on", "'infinity'"),
    ("run", "inputs", "'\"no object\"'"),
    ("run", "criteria", "'[]'"),
    ("run", "plan", "'[]'"),
    ("run", "causes", "'{}'"),
    ("replan_cause", "recorded_at", "'-infinity'"),
    ("replan_cause", "type", "''"),
]

_ACTIVITY = """
    INSERT INTO activity (id, consortium_id, host_id, kind, starts_on, teaches, completed)
    VALUES ($1, $2, $3, 'joint_training', '2020-01-01', '[]', false)
"""
_DUE = (
    "UPDATE pair SET expires_at = '2020-01-01T00:00:00Z' WHERE state = 'proposed' AND consortium_id = $1",
    """
    UPDATE mentorship SET last_activity_at = now() - interval '31 days', started_at = now() - interval '31 days'
    WHERE id IN (SELECT id FROM pair WHERE consortium_id = $1)
    """,
    """
    INSERT INTO replan_cause (event_id, cluster_id, consortium_id, type) VALUES (gen_random_uuid(), $1, $1, 'test')
    """,
)


@asynccontextmanager
async def started(build: factories.Build, url: str) -> AsyncIterator[Matching]:
    transport = LocalTransport()
    async with factories.running(build, url, transport=transport, replan_debounce_seconds=0.2) as client:
        yield Matching(client, url, transport)


async def _populate(matching: Matching, consortium: UUID) -> None:
    """A consortium with a mentorship and a proposal."""
    ant = mentor("Ant", mentor_capacity=3, consortium_id=consortium)
    bees = [learner(name, consortium_id=consortium) for name in ("Bee", "Cricket")]
    await matching.register(ant, *bees)
    run = await matching.draft_run(consortium)
    assert (await matching.publish(run["run"]["id"])).status_code == 200
    pairs = [pair for pair in await matching.pairs() if pair["consortium_id"] == str(consortium)]
    await matching.start_mentorship(pairs[0]["id"])
    await _add_rows(matching.url, consortium, bees[0])


async def _add_rows(url: str, consortium: UUID, bee: Member) -> None:
    """Rows of the tables that the events of `_populate` leave empty."""
    for statement, values in (
        ("INSERT INTO gain VALUES ($1, $2, 'self-check', 'foresight', 1, '2020-01-01')", (uuid4(), bee.id)),
        ("INSERT INTO request VALUES ($1, $2, 'self-check', 'foresight', 1, '2020-01-01')", (uuid4(), bee.id)),
        (_ACTIVITY, (uuid4(), consortium, bee.id)),
    ):
        await factories.rows(url, statement, *values)


async def _make_due(url: str, consortium: UUID) -> None:
    """Make a proposal expire, a mentorship be reminded and a plan be replaced."""
    for statement in _DUE:
        await factories.rows(url, statement, consortium)


async def _plant(url: str, table: str, column: str, value: str) -> None:
    constraint = f"ck_{table}_{column}_limits"
    await factories.rows(url, f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
    where = _OF_POISONED.get(table, _OF_CLUSTER)
    query = f'UPDATE "{table}" SET "{column}" = {value} WHERE {where} RETURNING 1'  # noqa: S608  constants
    assert await factories.rows(url, query, POISONED), "there is a row to poison"


@pytest.mark.parametrize(("table", "column", "value"), PLANTED, ids=lambda value: value)
async def test_other_consortia_are_served(
    build: factories.Build,
    url: str,
    logged: list[structlog.typing.EventDict],
    table: str,
    column: str,
    value: str,
) -> None:
    async with started(build, url) as matching:
        for consortium in (HEALTHY, POISONED):
            await _populate(matching, consortium)
    for consortium in (POISONED, HEALTHY):
        await _make_due(url, consortium)
    await _plant(url, table, column, value)
    async with started(build, url) as matching:

        async def served() -> bool:
            runs: list[Json] = await factories.rows(
                url, "SELECT state, causes FROM run WHERE consortium_id = $1", HEALTHY
            )
            states = await factories.rows(url, "SELECT state FROM pair WHERE consortium_id = $1", HEALTHY)
            query = "SELECT last_reminder_day AS day FROM mentorship JOIN pair USING (id) WHERE consortium_id = $1"
            reminded = await factories.rows(url, query, HEALTHY)
            return (
                "expired" in {row["state"] for row in states}
                and all(row["day"] for row in reminded)
                and any(run["causes"] != "[]" and run["state"] != "running" for run in runs)
            )

        await eventually(served, 30)
        assert (await matching.client.get("/livez")).status_code == 200
    assert [entry for entry in logged if entry["log_level"] == "critical"] == []
