"""Rows of the messaging tables that nothing can read: every service has these tables, and every worker reads them."""

from uuid import uuid4

import pytest
import structlog

from shared.transport.local import LocalTransport
from tests.services.trainings.actions import OPERATOR, publish_activity
from tests.support import factories
from tests.support.waiting import eventually

_INBOX = """
    INSERT INTO inbox (consumer, event_id, partition_key, topic, key, headers, value)
    VALUES ('trainings', $1, $1, 'kei.members.v1', NULL, $2, NULL)
"""


@pytest.mark.parametrize("headers", [b"no JSON", b"{}", b"[1]", b"\xff"])
async def test_an_event_in_the_inbox(build: factories.Build, url: str, headers: bytes) -> None:
    transport, poisoned = LocalTransport(), uuid4()
    async with factories.running(build, url, transport=transport) as client:
        await factories.rows(url, _INBOX, poisoned, headers)
        await factories.deliver(transport, factories.cluster_registered_event())
        await eventually(lambda: factories.rows(url, "SELECT FROM cluster"))

        async def is_dead() -> bool:
            query = "SELECT state FROM inbox WHERE event_id = $1"
            return [row["state"] for row in await factories.rows(url, query, poisoned)] == ["dead"]

        await eventually(is_dead, 30)
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("time", ["-infinity", "infinity"])
async def test_an_event_in_the_outbox(
    build: factories.Build, url: str, logged: list[structlog.typing.EventDict], time: str
) -> None:
    transport, host = LocalTransport(), uuid4()
    async with factories.running(build, url, transport=transport) as client:
        await factories.deliver(transport, factories.cluster_registered_event(cluster_id=host))
        await eventually(lambda: factories.rows(url, "SELECT FROM cluster"))
        await publish_activity(client, host)
        await _all_sent(url)
    await factories.rows(url, "UPDATE outbox SET time = $1::text::timestamptz", time)
    await factories.rows(url, "UPDATE outbox_relay SET sent = 0")
    async with factories.running(build, url, transport=LocalTransport()) as client:
        await publish_activity(client, host)
        await _all_sent(url)
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/ops/status", headers=OPERATOR)).status_code == 200
    assert [entry for entry in logged if entry["log_level"] == "critical"] == []


async def _all_sent(url: str) -> None:
    query = "SELECT sent > 0 AND sent = (SELECT count(*) FROM outbox) AS all_sent FROM outbox_relay"

    async def sent() -> bool:
        return bool((await factories.rows(url, query))[0]["all_sent"])

    await eventually(sent, 15)
