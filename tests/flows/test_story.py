"""The TRACE-KEI story from an empty folder to the partner feed, over both transports, started twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.api_client import Api
from deploy.sample_data.wait import compare_feed, wait_until_idle
from tests.support.kafka import Broker
from tests.support.kei import Kei
from tests.support.run import Run

pytestmark = pytest.mark.timeout(240)

PARTNERS = {
    "dare": "IT",
    "innoskart": "HU",
    "biomastec": "DE",
    "madan-parque": "PT",
    "agroco": "RO",
    "green-synergy": "BG",
    "cluee": "RS",
}


async def seen(api: Api) -> dict[str, Any]:
    """What a newcomer sees of the story."""
    clusters = await api.items("members", "/clusters")
    names = {one["id"]: one["slug"] for one in clusters}
    pairs = [
        (names[one["mentor_id"]], names[one["learner_id"]], one["state"], one["score_hundredths"])
        for one in await api.items("matching", "/pairs")
    ]
    activities = await api.items("trainings", "/activities")
    return {
        "clusters": {one["slug"]: one["country"] for one in clusters},
        "unlabelled": {one["slug"] for one in clusters if one["label"] == "none"},
        "pairs": sorted(pairs),
        "activities": {one["title"]: (one["state"], one["starts_on"], one["seats_taken"]) for one in activities},
        "requests": {one["indicator"] for one in await api.items("members", "/requests")},
        "mentorships": {
            names[one["learner_id"]]: (one["state"], one["outcome"])
            for one in await api.items("matching", "/mentorships")
        },
        "confirmed": sum(one["confirmed_hundredths"] or 0 for one in await api.items("matching", "/ledger")),
        "published": (await wait_until_idle(api)).published,
    }


def check(found: dict[str, Any]) -> None:
    assert found["clusters"] == PARTNERS
    assert found["unlabelled"] == {"madan-parque", "green-synergy", "cluee"}
    assert found["activities"]["First joint training"] == ("completed", "2017-06-28", 14)
    assert found["activities"]["Study visit to INNOSKART"] == ("completed", "2018-04-17", 6)
    assert found["requests"] == {"foresight", "financing"}
    states = [state for _, _, state, _ in found["pairs"]]
    assert (states.count("accepted"), states.count("ended"), states.count("declined")) == (2, 1, 1)
    assert found["mentorships"] == {
        "cluee": ("completed", 100),
        "green-synergy": ("active", None),
        "madan-parque": ("agreed", None),
    }
    assert found["confirmed"] > 0


async def check_feed(api: Api) -> list[dict[str, Any]]:
    """Nothing is missing in the feed, nothing is there twice; returns its events in order."""
    feed = await compare_feed(api, await wait_until_idle(api))
    assert (feed.lost, feed.duplicated, feed.gaps) == (0, 0, 0)
    assert feed.shown == feed.published > 30
    page = await api.get("notifications", "/feed", limit=1000)
    events: list[dict[str, Any]] = [one["event"] for one in page["items"]]
    return events


async def play_twice(kei: Kei) -> list[dict[str, Any]]:
    """Start on an empty folder, and once more; returns the feed's events."""
    await kei.start()
    await kei.wait_for_output("Nothing was lost, nothing was done twice.")
    async with kei.api() as api:
        first = await seen(api)
        check(first)
        events = await check_feed(api)
    assert await kei.stop() == 0, kei.output()
    await kei.start()
    await kei.wait_for_output("Nothing was lost, nothing was done twice.")
    async with kei.api() as api:
        assert await seen(api) == first
        assert await check_feed(api) == events
    assert await kei.stop() == 0, kei.output()
    return events


async def test_the_story_on_the_embedded_transport(kei: Kei) -> None:
    events = await play_twice(kei)
    assert [one["type"] for one in events].count("kei.trainings.training.completed.v1") == 2


async def test_the_story_only_says_what_became_of_it(kei: Kei) -> None:
    status, said = await kei.run_command("run", "--import-only")
    assert status == 0, said
    for text in ("members", "partner feed", "Madan Parque teaches Cluster for Energy Efficiency", "accepted"):
        assert text in said
    assert said.rstrip().endswith("Nothing was lost, nothing was done twice.")


@pytest.fixture
async def kafka_kei(run: Run, own_kafka: Callable[..., Awaitable[Broker]]) -> AsyncIterator[Kei]:
    broker = await own_kafka()
    one = Kei(run.new_folder(), broker.address)
    yield one
    await one.end()


async def test_the_story_on_kafka_and_its_public_topic(kafka_kei: Kei) -> None:
    events = await play_twice(kafka_kei)
    assert kafka_kei.kafka is not None
    records = await public_topic(kafka_kei.kafka)
    assert {one["id"] for one in records} == {one["id"] for one in events}
    for key in {one["partitionkey"] for one in events}:
        in_feed = [one["id"] for one in events if one["partitionkey"] == key]
        on_topic = list(dict.fromkeys(one["id"] for one in records if one["partitionkey"] == key))
        assert on_topic == in_feed


async def public_topic(servers: str) -> list[dict[str, str]]:
    """The attributes of every record on the public topic, in order of partition and offset."""
    consumer = AIOKafkaConsumer("kei.public.v1", bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    found: list[dict[str, str]] = []
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [{name.removeprefix("ce_"): value.decode() for name, value in one.headers} for one in records]
    finally:
        await consumer.stop()
    return found
