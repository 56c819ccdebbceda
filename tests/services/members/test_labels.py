"""A label expires after its last valid day: once, and again after it was renewed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.members.commands import labels
from services.members.main import build
from shared.db import Database
from tests.services.members.actions import LAST_DAY, OPERATOR, Json, register_labelled_cluster
from tests.support import factories
from tests.support.waiting import eventually

DAY_AFTER = date(2099, 3, 2)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, name="labels")
    yield database
    await database.close()


async def expire(database: Database, today: date) -> int:
    """Expire all due labels; return their number."""
    async with database.transaction() as tx:
        return sum([await labels.expire(tx, id, today) for id in await labels.due(tx, today, [])])


async def expiries(url: str) -> list[factories.PublishedEvent]:
    return [event for event in await factories.published_events(url) if event.type == "label.expired"]


async def test_a_label_expires_after_its_last_day_and_once(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        cluster = await register_labelled_cluster(client)
        assert (cluster["label_expired"], await expire(database, LAST_DAY)) == (False, 0)
        assert [await expire(database, DAY_AFTER) for _ in range(2)] == [1, 0]
        (event,) = await expiries(url)
        assert (event.version, event.data["label"], event.data["label_valid_until"]) == (
            2,
            "gold",
            str(LAST_DAY),
        )
        shown = (await client.get(f"/clusters/{cluster['id']}", headers=OPERATOR)).json()
        assert (shown["label_expired"], shown["label"], shown["version"]) == (True, "gold", 2)


async def test_one_that_is_given_anew_expires_anew(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        cluster = await register_labelled_cluster(client)
        await expire(database, DAY_AFTER)
        names = ("slug", "name", "country", "ecosystems", "languages")
        facts = {name: cluster[name] for name in names} | {"label": "gold", "label_valid_until": str(LAST_DAY)}
        path = f"/clusters/{cluster['id']}"
        same = await client.put(path, json=facts, headers=OPERATOR | {"If-Match": '"v2"'})
        assert same.json()["label_expired"] is True, "nothing about the label has changed"
        facts["label_valid_until"] = "2101-03-01"
        renewed = await client.put(path, json=facts, headers=OPERATOR | {"If-Match": '"v3"'})
        assert renewed.json()["label_expired"] is False
        assert await expire(database, date(2101, 3, 2)) == 1
        assert [event.version for event in await expiries(url)] == [2, 5]


@pytest.mark.parametrize("facts", [{"label": "none"}, {"label_valid_until": None}])
async def test_what_has_no_label_or_no_last_day_does_not_expire(url: str, database: Database, facts: Json) -> None:
    async with factories.running(build, url) as client:
        await register_labelled_cluster(client, **facts)
        assert await expire(database, DAY_AFTER) == 0


async def test_of_many_who_look_each_label_is_told_by_one(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        await register_labelled_cluster(client)
        assert sum(await asyncio.gather(*(expire(database, DAY_AFTER) for _ in range(8)))) == 1


async def test_the_service_looks_by_itself(url: str) -> None:
    async with factories.running(build, url) as client:
        await register_labelled_cluster(client, label_valid_until="2017-03-01")
        assert await expiries(url) == [], "the job has run already, and runs again in an hour"
    async with factories.running(build, url):
        await eventually(lambda: expiries(url))


async def test_a_row_that_nothing_can_read_delays_no_other(url: str) -> None:
    """No edge lets such a day in any more, so the check of the database is dropped before it is planted."""
    async with factories.running(build, url) as client:
        poisoned = await register_labelled_cluster(client)
        body = factories.cluster(poisoned["consortium_id"]) | {"slug": "healthy", "name": "Healthy", "label": "gold"}
        healthy = (await client.post("/clusters", json=body, headers=OPERATOR)).json()
    await factories.rows(url, "ALTER TABLE cluster DROP CONSTRAINT ck_cluster_label_valid_until_limits")
    days = {poisoned["id"]: "-infinity", healthy["id"]: "2020-01-01"}
    for id, day in days.items():
        await factories.rows(url, "UPDATE cluster SET label_valid_until = $2::text::date WHERE id = $1", id, day)
    async with factories.running(build, url) as client:
        (event,) = await eventually(lambda: expiries(url))
        assert event.data["cluster_id"] == healthy["id"]

        async def counted() -> bool:
            return 'kei_job_errors_total{loop="label expiry"} 1.0' in (await client.get("/metrics")).text

        await eventually(counted)
        assert (await client.get("/livez")).status_code == 200
