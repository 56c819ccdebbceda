"""`kei status` on a running Kei, and what it notices when a service was restored alone to an older point."""

import json
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from shared import clock
from shared.api_client import ApiClient
from shared.auth import Principal, Role
from shared.status import AccessDenied, Finding, collect_status, diagnose
from shared.version import revisions
from tests.services.console.actions import Person, poison, text
from tests.services.console.world import World, world
from tests.support.connection import database_connection
from tests.support.kei import Kei
from tests.support.waiting import eventually

AWAY = ("trainings", "notifications")
HERE = ("members", "matching")


@pytest.mark.timeout(180)
async def test_the_exit_status_says_whether_all_is_well(kei: Kei) -> None:
    nowhere, output = await kei.run_command("status")
    assert (nowhere, "There is no signing key" in output) == (2, True)
    await kei.start("--no-import")
    await kei.ready()

    async def well() -> str:
        status, output = await kei.run_command("status")
        assert "Traceback" not in output
        return output if status == 0 else ""

    output = await eventually(well, 60)
    assert output.startswith("All is well.")
    assert "epoch 1, heard " in output

    socket = (kei.home / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    await poison(f"postgresql://matching:@/matching?host={socket}", UUID(int=1), UUID(int=2))

    async def with_problem() -> str:
        status, output = await kei.run_command("status")
        return output if status == 1 else ""

    output = await eventually(with_problem, 60)
    assert output.startswith("1 problem:")
    assert (
        "matching: 2 dead letters.\n  Look: kei dead-letters list matching. Then: kei dead-letters retry matching."
        in output
    )
    await _told_to_programs(kei)
    await _not_to_be_told(kei)


async def _told_to_programs(kei: Kei) -> None:
    status, output = await kei.run_command("status", "--json")
    status_report = json.loads(output)
    assert (status, status_report["well"], [finding["kind"] for finding in status_report["findings"]]) == (
        1,
        False,
        ["dead"],
    )
    reached = [service["service"] for service in status_report["services"] if service["reached"]]
    assert reached == ["members", "trainings", "matching", "notifications"]


async def _not_to_be_told(kei: Kei) -> None:
    """With a token that is refused, and when nothing is there any more."""
    manager = (await kei.run_command("token", "--role", "manager"))[1].strip()
    refused = (("x.y.z", "Sign in first"), ("é", "it has characters"), (manager, "Your role does not allow this"))
    for token, reason in refused:
        status, output = await kei.run_command("status", "--token", token)
        assert status == 2, output
        assert f"does not admit this token: {reason}" in output
    assert await kei.stop() == 0
    status, output = await kei.run_command("status")
    assert status == 2
    assert f"Nothing of Kei is reached at {kei.url}: members is not reached:" in output


async def test_a_service_that_was_restored_alone_is_noticed(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database, without=AWAY) as running:
        await _clusters(running, 3)
        assert await _findings(running) == []

        lost = [dict(row) for row in await _execute(running, "SELECT * FROM outbox ORDER BY id DESC LIMIT 2")]
        await _execute(running, "DELETE FROM outbox WHERE id = ANY($1)", [row["id"] for row in lost])
        finding = (await _findings(running))[0]
        assert (finding.service, finding.kind) == ("matching", "ahead")
        assert f"that members does not have (newest {lost[0]['id']} of " in finding.message
        page = await Person(running, Role.operator).get("/operations")
        assert "members was restored to an older point." in text(page.text)

        names = [name for name in lost[0] if name != "seq"]
        values = ", ".join(f"${number}" for number, _ in enumerate(names, 1))
        insert = f"INSERT INTO outbox ({', '.join(names)}) VALUES ({values})"  # noqa: S608  names of columns
        for row in lost:
            await _execute(running, insert, *(row[name] for name in names))
        assert await _findings(running) == []


async def test_what_is_lost_is_noticed_also_behind_what_is_new(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database, without=AWAY) as running:
        await _clusters(running, 14)
        await _execute(running, "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id DESC LIMIT 12)")
        await _clusters(running, 1)
        assert [finding.kind for finding in await _findings(running)] == ["ahead"]


async def test_what_was_forgotten_in_good_order_is_not_missed(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database, without=AWAY) as running:
        await _clusters(running, 12)
        await _execute(running, "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 6)")
        assert await _findings(running) == []
        await _execute(running, "DELETE FROM outbox")
        assert await _findings(running) == []


async def test_a_database_without_a_past_is_behind_all_who_have_had_events_of_it(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database, without=AWAY) as running:
        await _clusters(running, 1)
        await _execute(running, "DELETE FROM outbox")
        await _execute(running, "UPDATE outbox_relay SET assigned = 0, sent = 0")
        assert [finding.kind for finding in await _findings(running)] == ["ahead"]


async def test_a_schema_that_is_not_the_newest_known_is_told(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database, without=AWAY) as running:
        await _execute(running, "UPDATE alembic_version SET version_num = 'members_9999'")
        assert [finding.message for finding in await _findings(running)] == [
            f"members: its database is at members_9999, ahead of {revisions('members')[0]}, the newest that it knows."
        ]
        await _execute(running, "DROP TABLE alembic_version")
        assert [finding.remedy for finding in await _findings(running)] == ["Run: kei migrate members."]


async def test_a_token_without_the_right_is_of_no_use(service_database: Callable[[str], Awaitable[str]]) -> None:
    async with world(service_database, without=AWAY) as running:
        partner = running.issuer.token(Principal("partner", frozenset({Role.partner})))
        with pytest.raises(AccessDenied, match="does not admit this token: Your role does not allow this") as refused:
            await collect_status(ApiClient(running.http, f"{running.url}/api"), partner, HERE)
        assert refused.value.status == 403


async def _findings(running: World) -> list[Finding]:
    return diagnose(await collect_status(ApiClient(running.http, f"{running.url}/api"), running.token, HERE))


async def _clusters(running: World, number: int) -> None:
    """Register so many clusters, an event each, and wait until matching has handled them."""
    slug = f"c{clock.new_id()}"
    dates = {"starts_on": "2026-01-01", "ends_on": "2027-12-31"}
    made = await running.post("members/consortia", {"slug": slug, "name": slug, "programme": "P", **dates})
    facts = {"consortium_id": made["id"], "country": "HU", "ecosystems": ["digital"], "languages": ["en"]}
    more = {"value_chain_stages": ["services"], "label": "none", "mentor_capacity": 1, "learner_capacity": 1}
    for place in range(number):
        await running.post("members/clusters", {"slug": f"{slug}-{place}", "name": f"Cluster {place}", **facts, **more})
    await running.settled()


async def _execute(running: World, statement: str, *values: object) -> list[asyncpg.Record]:
    """A statement in the database of members."""
    async with database_connection(running.databases["members"]) as connection:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
        return rows
