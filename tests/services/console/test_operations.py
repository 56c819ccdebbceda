"""The page for operators: how everything is, and what becomes of a dead letter."""

import asyncio
import re
from typing import Any
from uuid import UUID

import pytest

from shared.auth import Role
from shared.version import revisions, version
from tests.services.console.actions import Person, forms, letters, poison, text
from tests.services.console.world import SERVICES, Create, World, world
from tests.support.connection import database_connection
from tests.support.waiting import eventually

FIRST_ID, SECOND_ID = UUID(int=1), UUID(int=2)
AWAY = ("trainings", "notifications")
CONSORTIUM = {"slug": "one", "name": "One", "programme": "P", "starts_on": "2026-01-01", "ends_on": "2027-12-31"}


async def test_when_all_is_well_the_first_line_says_so(service_database: Create) -> None:
    async with world(service_database) as running:
        operator = Person(running, Role.operator)

        async def led() -> str:
            page = await operator.get("/operations")
            return page.text if "epoch 0" not in page.text else ""

        page = await eventually(led)
        assert re.findall(r"<h1[^>]*>(.*?)</h1>", page) == ["All is well"]
        words = text(page)
        assert "4 of 4 services respond. No event waits, and there are no dead letters." in words
        assert f"{version()} {revisions('members')[0]}, current" in words
        assert words.count("epoch 1, heartbeat ") == 4
        assert "What to do" not in words
        assert 'aria-current="page">Operations' in page
        assert " style=" not in page


async def test_a_service_that_is_away_is_what_needs_somebody(service_database: Create) -> None:
    async with world(service_database, without=AWAY) as running:
        page = await Person(running, Role.operator).get("/operations")
        assert page.status_code == 200
        words = text(page.text)
        assert "Two problems need attention" in words
        assert "trainings answers 503: Service Unavailable." in words
        assert "See whether it runs, and what its log says last." in words
        assert "2 of 4 services respond." in words
        reply = await Person(running, Role.operator).get("/operations/discard?service=trainings")
        assert reply.status_code == 503
        assert "Trainings does not respond." in reply.text


async def test_with_all_services_away_the_page_is_whole(service_database: Create) -> None:
    async with world(service_database, without=SERVICES) as running:
        words = text((await Person(running, Role.operator).get("/operations")).text)
        assert "Four problems need attention" in words
        assert "0 of 4 services respond." in words
        assert "No service that receives events responds." in words


async def test_a_dead_letter_is_given_up_only_when_that_was_confirmed(service_database: Create) -> None:
    async with world(service_database, without=AWAY) as running:
        await poison(running.databases["matching"], FIRST_ID, SECOND_ID)
        operator = Person(running, Role.operator)
        page = (await operator.get("/operations")).text
        assert "matching: 2 dead letters." in text(page)
        assert "unknown type 'kei.members.moon.landed.v1'" in text(page)
        assert f'href="/operations/discard?service=matching&amp;event={FIRST_ID}"' in page
        assert not forms(page, "/operations/discard")

        asked = (await operator.get(f"/operations/discard?service=matching&event={FIRST_ID}")).text
        assert "Discard one event for good?" in text(asked)
        assert str(SECOND_ID) not in asked
        assert await letters(running.databases["matching"], "dead") == [str(FIRST_ID), str(SECOND_ID)]

        reply = await operator.post("/operations/discard", forms(asked, "/operations/discard")[0])
        assert reply.status_code == 303
        words = text((await operator.get(reply.headers["location"])).text)
        assert "One dead letter of matching is discarded for good." in words
        assert await letters(running.databases["matching"], "discarded") == [str(FIRST_ID)]

        again = await operator.get(f"/operations/discard?service=matching&event={FIRST_ID}")
        assert (again.status_code, again.headers["location"]) == (
            303,
            "/operations?done=discard&service=matching&count=0",
        )
        assert "matching has no such dead letter any more" in (await operator.get(again.headers["location"])).text


async def test_to_discard_all_is_to_discard_what_was_shown(service_database: Create) -> None:
    async with world(service_database, without=AWAY) as running:
        await poison(running.databases["matching"], FIRST_ID)
        operator = Person(running, Role.operator)
        asked = (await operator.get("/operations/discard?service=matching")).text
        await poison(running.databases["matching"], SECOND_ID)
        await operator.post("/operations/discard", forms(asked, "/operations/discard")[0])
        assert await letters(running.databases["matching"], "dead") == [str(SECOND_ID)]


async def test_a_double_click_acts_once(service_database: Create) -> None:
    async with world(service_database, without=AWAY) as running:
        await poison(running.databases["matching"], FIRST_ID, SECOND_ID)
        operator = Person(running, Role.operator)
        form = next(
            form for form in forms((await operator.get("/operations")).text, "/operations/retry") if len(form) == 2
        )
        replies = await asyncio.gather(*(operator.post("/operations/retry", form) for _ in range(4)))
        assert {reply.headers["location"] for reply in replies} == {"/operations?done=retry&service=matching&count=2"}

        async def dead_again() -> bool:
            return await letters(running.databases["matching"], "dead") == [str(FIRST_ID), str(SECOND_ID)]

        await eventually(dead_again)
        late = await operator.post("/operations/retry", form)
        assert late.headers["location"] == "/operations?done=retry&service=matching&count=2"
        assert await letters(running.databases["matching"], "dead") == [str(FIRST_ID), str(SECOND_ID)]
        other = [*form[:1], ("event", str(FIRST_ID)), form[1]]
        page = await operator.post("/operations/retry", other)
        assert page.status_code == 422
        assert "matching says: This Idempotency-Key was used for another request." in text(page.text)


@pytest.mark.timeout(90)
async def test_what_failed_is_handled_once_its_cause_is_gone(service_database: Create) -> None:
    async with world(service_database, without=AWAY) as running:
        operator = Person(running, Role.operator)
        await _execute(running, "ALTER TABLE cluster RENAME TO cluster_gone")
        await running.post("members/consortia", CONSORTIUM)
        await _cluster(running)

        async def listed() -> str:
            page = (await operator.get("/operations")).text
            return page if "1 dead letter." in page else ""

        page = await eventually(listed, 60)
        assert "cluster.registered" in page
        assert "Five attempts" in text(page)
        await _execute(running, "ALTER TABLE cluster_gone RENAME TO cluster")
        form = next(form for form in forms(page, "/operations/retry") if len(form) == 3)
        reply = await operator.post("/operations/retry", form)
        assert "One dead letter of matching is handled again." in (await operator.get(reply.headers["location"])).text
        await running.settled()
        assert not await letters(running.databases["matching"], "dead")
        rows = await running.get("matching/ops/status")
        assert [topic["done"] for topic in rows["inbox"] if topic["topic"] == "kei.members.v1"] == [1]


async def test_a_form_of_nobodys_making_does_nothing(service_database: Create) -> None:
    async with world(service_database, without=SERVICES) as running:
        operator = Person(running, Role.operator)
        good = [("service", "matching"), ("idempotency_key", str(FIRST_ID))]
        assert (await operator.post("/operations/retry", good)).status_code == 503
        for fields in (
            good[:1],
            [*good, ("event", "1")],
            [*good, ("more", "1")],
            [("service", "../members"), good[1]],
            [*good, *[("event", str(FIRST_ID))] * 101],
        ):
            assert (await operator.post("/operations/retry", fields)).status_code == 400
        assert (await operator.get("/operations?done=retry&service=x&count=1")).status_code == 422
        assert (await operator.get("/operations/retry")).status_code == 405


async def _execute(running: World, statement: str) -> None:
    async with database_connection(running.databases["matching"]) as connection:
        await connection.execute(statement)


async def _cluster(running: World) -> dict[str, Any]:
    consortium = (await running.get("members/consortia"))["items"][0]["id"]
    facts = {"consortium_id": consortium, "slug": "a", "name": "A", "country": "HU", "ecosystems": ["digital"]}
    more = {"languages": ["en"], "value_chain_stages": ["services"], "label": "none"}
    return await running.post("members/clusters", {**facts, **more, "mentor_capacity": 1, "learner_capacity": 1})
