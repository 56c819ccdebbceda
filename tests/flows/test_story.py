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
    names = {cluster["id"]: cluster["slug"] for cluster in clusters}
    pairs = [
        (names[pair["mentor_id"]], names[pair["learner_id"]], pair["state"], pair["score_hundredths"])
        for pair in await api.items("matching", "/pairs")
    ]
    activities = await api.items("trainings", "/activities")
    return {
        "clusters": {cluster["slug"]: cluster["country"] for cluster in clusters},
        "unlabelled": {cluster["slug"] for cluster in clusters if cluster["label"] == "none"},
        "pairs": sorted(pairs),
        "activities": {
            activity["title"]: (activity["state"], activity["starts_on"], activity["seats_taken"])
            for activity in activities
        },
        "requests": {request["indicator"] for request in await api.items("members", "/requests")},
        "mentorships": {
            names[mentorship["learner_id"]]: (mentorship["state"], mentorship["outcome"])
            for mentorship in await api.items("matching", "/mentorships")
        },
        "confirmed": sum(line["confirmed_hundredths"] or 0 for line in await api.items("matching", "/ledger")),
        "published": (await wait_until_idle(api)).published,
    }


def check(story: dict[str, Any]) -> None:
    assert story["clusters"] == PARTNERS
    assert story["unlabelled"] == {"madan-parque", "green-synergy", "cluee"}
    assert story["activities"]["First joint training"] == ("completed", "2017-06-28", 14)
    assert story["activities"]["Study visit to INNOSKART"] == ("completed", "2018-04-17", 6)
    assert story["requests"] == {"foresight", "financing"}
    states = [state for _, _, state, _ in story["pairs"]]
    assert (states.count("accepted"), states.count("ended"), states.count("declined")) == (2, 1, 1)
    assert story["mentorships"] == {
        "cluee": ("completed", 100),
        "green-synergy": ("active", None),
        "madan-parque": ("agreed", None),
    }
    assert story["confirmed"] > 0


async def check_feed(api: Api) -> list[dict[str, Any]]:
    """Nothing is missing in the feed, nothing is there twice; returns its events in order."""
    feed = await compare_feed(api, await wait_until_idle(api))
    assert (feed.lost, feed.duplicated, feed.gaps) == (0, 0, 0)
    assert feed.shown == feed.published > 30
    page = await api.get("notifications", "/feed", limit=1000)
    events: list[dict[str, Any]] = [item["event"] for item in page["items"]]
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
    assert [event["type"] for event in events].count("kei.trainings.training.completed.v1") == 2


async def test_the_story_only_says_what_became_of_it(kei: Kei) -> None:
    status, output = await kei.run_command("run", "--import-only")
    assert status == 0, output
    for text in ("members", "partner feed", "Madan Parque teaches Cluster for Energy Efficiency", "accepted"):
        assert text in output
    assert output.rstrip().endswith("Nothing was lost, nothing was done twice.")


@pytest.fixture
async def kafka_kei(run: Run, own_kafka: Callable[..., Awaitable[Broker]]) -> AsyncIterator[Kei]:
    broker = await own_kafka()
    instance = Kei(run.new_folder(), broker.address)
    yield instance
    await instance.end()


async def test_the_story_on_kafka_and_its_public_topic(kafka_kei: Kei) -> None:
    events = await play_twice(kafka_kei)
    assert kafka_kei.kafka is not None
    records = await public_topic(kafka_kei.kafka)
    assert {event["id"] for event in records} == {event["id"] for event in events}
    for key in {event["partitionkey"] for event in events}:
        in_feed = [event["id"] for event in events if event["partitionkey"] == key]
        on_topic = list(dict.fromkeys(record["id"] for record in records if record["partitionkey"] == key))
        assert on_topic == in_feed


async def public_topic(servers: str) -> list[dict[str, str]]:
    """The attributes of every record on the public topic, in order of partition and offset."""
    consumer = AIOKafkaConsumer("kei.public.v1", bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    events: list[dict[str, str]] = []
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                events += [
                    {name.removeprefix("ce_"): value.decode() for name, value in record.headers} for record in records
                ]
    finally:
        await consumer.stop()
    return events
