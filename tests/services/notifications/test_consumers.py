"""Public events go to the feed and the public topic: each once, in order, unchanged."""

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import httpx2

from services.notifications.consumers import consumer
from shared.events import PUBLIC_TOPIC, Event, parse, registry
from shared.events.envelope import Record, Stored
from shared.events.members import TargetSet
from shared.events.registry import Data
from shared.transport.local import LocalTransport
from tests.services.notifications.actions import OPERATOR, deliver_to_feed, head, new_events
from tests.support import factories
from tests.support.waiting import eventually


class Partner:
    """Receives the public topic."""

    consumer = "partner"
    topics = frozenset({PUBLIC_TOPIC})

    def __init__(self) -> None:
        self.received: list[Event[Data]] = []

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        self.received += [parse(record, topic) for topic, record in records]


def test_every_public_type_is_handled() -> None:
    for name, entry in registry().items():
        assert (consumer.handler_of(name) is not None) == entry.public


async def test_a_repeated_event_is_in_the_feed_once(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    (event,) = await deliver_to_feed(client, transport, *new_events(1))
    await factories.deliver(transport, event, event)
    await deliver_to_feed(client, transport, *new_events(1))
    await factories.deliver(transport, event)
    await deliver_to_feed(client, transport, *new_events(1))
    items = (await client.get("/feed", headers=OPERATOR)).json()["items"]
    assert [item["event"]["id"] for item in items].count(str(event.id)) == 1
    assert [item["position"] for item in items] == [1, 2, 3]


async def test_fields_of_a_later_time_go_on_to_partners(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    event = factories.stored(factories.service_requested())
    data = json.dumps(json.loads(event.data) | {"mood": "good"}, indent=1).encode()
    await deliver_to_feed(client, transport, replace(event, data=data))
    (item,) = (await client.get("/feed", headers=OPERATOR)).json()["items"]
    assert item["event"]["data"] == json.loads(data)


async def test_private_events_stay_private(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    target = TargetSet(
        cluster_id=uuid4(), consortium_id=factories.CONSORTIUM, framework="f", indicator="i", level=1, priority=1
    )
    await factories.deliver(transport, factories.stored(target))
    await deliver_to_feed(client, transport, *new_events(1))
    assert await head(client) == 1


async def test_the_public_topic_carries_the_feed(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    partner = Partner()
    transport.attach(partner)
    activity = factories.training_published()
    versions = [factories.stored(activity, number) for number in range(1, 6)]
    events: list[Stored] = [event for pair in zip(versions, new_events(5), strict=True) for event in pair]
    await deliver_to_feed(client, transport, *events)
    await eventually(lambda: len(partner.received) == len(events))
    items = (await client.get("/feed", headers=OPERATOR)).json()["items"]
    assert [str(event.id) for event in partner.received] == [item["event"]["id"] for item in items]
    assert [event.version for event in partner.received if event.key == activity.activity_id] == [1, 2, 3, 4, 5]
    assert {event.raw for event in partner.received} == {event.data for event in events}
