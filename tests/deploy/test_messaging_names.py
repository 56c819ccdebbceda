from uuid import UUID

import pytest

from deploy.migrate import differences, upgrade
from tests.support.connection import database_connection

BEFORE = {"members": "members_0002", "trainings": "trainings_0002", "matching": "matching_0006"}
BEFORE["notifications"] = "notifications_0001"
ID, KEY = UUID(int=1), UUID(int=2)
_ROWS = """
    INSERT INTO outbox (id, topic, type, source, key, version, time, data)
    VALUES ($1, 't', 'e', 's', $2, 1, now(), 'd');
    INSERT INTO inbox (consumer, event_id, lane, topic, headers) VALUES ('c', $1, $2, 't', 'h');
    UPDATE outbox_relay SET epoch = 7, assigned = 5, sent = 4, beat_at = '2020-01-02 03:04:05+00';
"""
_INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename IN ('outbox', 'inbox')"


@pytest.mark.parametrize("service", BEFORE)
async def test_columns_of_the_messaging_tables_are_renamed_and_their_rows_stay(service: str, database_url: str) -> None:
    await upgrade(service, database_url, BEFORE[service])
    async with database_connection(database_url) as connection:
        for statement in filter(str.strip, _ROWS.split(";")):
            await connection.execute(statement, *[ID, KEY][: statement.count("$")])
        await upgrade(service, database_url)
        assert await connection.fetchval("SELECT id FROM outbox WHERE position IS NULL") == ID
        assert tuple(await connection.fetchrow("SELECT event_id, partition_key, state FROM inbox")) == (
            ID,
            KEY,
            "pending",
        )
        relay = await connection.fetchrow(
            "SELECT singleton, epoch, assigned, sent, heartbeat_at::text FROM outbox_relay"
        )
        assert tuple(relay) == (True, 7, 5, 4, "2020-01-02 03:04:05+00")
        indexes = {row[0] for row in await connection.fetch(_INDEXES)}
        assert {"ix_outbox_unassigned", "ix_inbox_partition_key"} <= indexes
        assert indexes.isdisjoint({"ix_outbox_unplaced", "ix_inbox_lane"})
    assert await differences(service, database_url) == []
