"""Labels end on their day: it is told once, and again for one that was given anew."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.members.commands import labels
from services.members.main import build
from shared.db import Database
from tests.services.members.actions import LAST, OPERATOR, Json, with_label
from tests.support import factories
from tests.support.waiting import eventually

AFTER = date(2099, 3, 2)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    made = Database(url, name="labels")
    yield made
    await made.close()


async def expire(database: Database, today: date) -> int:
    async with database.transaction() as tx:
        return await labels.expire(tx, today)


async def told(url: str) -> list[tuple[str, int, Json]]:
    return [(kind, version, data) for kind, version, data in await factories.put(url) if kind == "label.expired"]


async def test_a_label_expires_after_its_last_day_and_once(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        cluster = await with_label(client)
        assert (cluster["label_expired"], await expire(database, LAST)) == (False, 0)
        assert [await expire(database, AFTER) for _ in range(2)] == [1, 0]
        ((_, version, data),) = await told(url)
        assert (version, data["label"], data["label_valid_until"]) == (2, "gold", str(LAST))
        shown = (await client.get(f"/clusters/{cluster['id']}", headers=OPERATOR)).json()
        assert (shown["label_expired"], shown["label"], shown["version"]) == (True, "gold", 2)


async def test_one_that_is_given_anew_expires_anew(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        cluster = await with_label(client)
        await expire(database, AFTER)
        names = ("slug", "name", "country", "ecosystems", "languages")
        facts = {name: cluster[name] for name in names} | {"label": "gold", "label_valid_until": str(LAST)}
        path = f"/clusters/{cluster['id']}"
        same = await client.put(path, json=facts, headers=OPERATOR | {"If-Match": '"v2"'})
        assert same.json()["label_expired"] is True, "nothing about the label has changed"
        facts["label_valid_until"] = "2101-03-01"
        anew = await client.put(path, json=facts, headers=OPERATOR | {"If-Match": '"v3"'})
        assert anew.json()["label_expired"] is False
        assert await expire(database, date(2101, 3, 2)) == 1
        assert [version for _, version, _ in await told(url)] == [2, 5]


@pytest.mark.parametrize("facts", [{"label": "none"}, {"label_valid_until": None}])
async def test_what_has_no_label_or_no_last_day_does_not_expire(url: str, database: Database, facts: Json) -> None:
    async with factories.running(build, url) as client:
        await with_label(client, **facts)
        assert await expire(database, AFTER) == 0


async def test_of_many_who_look_each_label_is_told_by_one(url: str, database: Database) -> None:
    async with factories.running(build, url) as client:
        await with_label(client)
        assert sum(await asyncio.gather(*(expire(database, AFTER) for _ in range(8)))) == 1


async def test_the_service_looks_by_itself(url: str) -> None:
    async with factories.running(build, url) as client:
        await with_label(client, label_valid_until="2017-03-01")
        assert await told(url) == [], "it has looked already, and looks again in an hour"
    async with factories.running(build, url):
        await eventually(lambda: told(url))
