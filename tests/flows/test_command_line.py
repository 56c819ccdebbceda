"""What an operator does from a shell, on a running Kei."""

import json
from uuid import UUID, uuid4

import httpx2
import pytest

from deploy.sample_data.wait import wait_until_idle
from services.matching.consumers import consumer
from shared.db import Database
from shared.events.envelope import Record
from shared.inbox import Inbox
from tests.support.kei import Kei
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def running(kei: Kei) -> Kei:
    await kei.start()
    await kei.wait_for_output("Nothing was lost")
    return kei


async def done(kei: Kei, *command: str) -> str:
    status, output = await kei.run_command(*command)
    assert status == 0, output
    return output


async def test_an_operator_reads_replays_rebuilds_and_grants(running: Kei) -> None:
    lines = [json.loads(line) for line in (await done(running, "events", "tail", "members")).splitlines()]
    assert [line["position"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["event"]["type"] == "kei.members.cluster.registered.v1"

    assert f"{len(lines)} events of members sent again." in await done(running, "events", "replay", "members")
    async with running.api() as api:
        before = (await wait_until_idle(api)).published
        assert (await done(running, "matching", "rebuild")).endswith("The same.\n")
        assert (await wait_until_idle(api)).published == before
        (run, *_) = await api.items("matching", "/runs")
        (mentor, *_) = [
            cluster for cluster in await api.items("members", "/clusters") if cluster["slug"] == "innoskart"
        ]
    assert (await done(running, "matching", "replay", run["id"])).endswith("The same plan.\n")
    output = await done(running, "matching", "show", run["id"], "--against", mentor["id"])
    assert "points; no plan is better." in output
    assert " mentors " in output
    assert "Other possible mentors" in output
    assert f"What a pair with {mentor['name']} would take" in output

    key = (await done(running, "partner", "add", "Observatory", "--type", "kei.matching.pair.accepted.v1")).split()[-1]
    async with httpx2.AsyncClient(base_url=f"{running.url}/api/notifications", trust_env=False) as partner:
        reply = await partner.get("/feed", headers={"X-API-Key": key})
        assert {item["event"]["type"] for item in reply.json()["items"]} == {"kei.matching.pair.accepted.v1"}
        assert (await partner.get("/feed", headers={"X-API-Key": f"{key}x"})).status_code == 401

    token = (await done(running, "token", "--role", "manager", "--cluster", str(uuid4()))).strip()
    async with httpx2.AsyncClient(base_url=f"{running.url}/api/members", trust_env=False) as manager:
        assert (await manager.get("/clusters", headers={"Authorization": f"Bearer {token}"})).status_code == 403
        assert (await manager.get("/clusters", headers={"Authorization": f"Bearer {token[:-4]}"})).status_code == 401


async def test_dead_letters_are_listed_tried_again_and_given_up(running: Kei) -> None:
    await _poison(running, UUID(int=1), UUID(int=2))

    async def listed() -> str:
        output = await done(running, "dead-letters", "list", "matching")
        return output if str(UUID(int=2)) in output else ""

    assert "unknown type 'kei.members.moon.landed.v1'" in await eventually(listed)
    assert "1 dead letters: retry." in await done(running, "dead-letters", "retry", "matching", str(UUID(int=1)))
    await eventually(listed)
    assert "2 dead letters: discard." in await done(running, "dead-letters", "discard", "matching")
    assert "matching has no dead letters." in await done(running, "dead-letters", "list", "matching")


async def _poison(kei: Kei, *ids: UUID) -> None:
    """Records that no service can read, put where the transport would put them."""
    socket = (kei.home / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    database = Database(f"postgresql://matching:@/matching?host={socket}", name="test")
    try:
        header = (("ce_specversion", b"1.0"), ("ce_type", b"kei.members.moon.landed.v1"))
        await Inbox(database, consumer).receive(
            [("kei.members.v1", Record(b"k", (*header, ("ce_id", str(event_id).encode())), b"{}")) for event_id in ids]
        )
    finally:
        await database.close()
