"""All 720 orders of six related events of a mentor and a learner, each event once and twice, lead to one state.

A transport keeps the order of a key's events; these orders do not.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import permutations
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from services.matching.consumers import consumer
from services.matching.tables import PROJECTED, Base, Pair, Slots
from shared.db import Database
from shared.events import registry
from shared.events.envelope import Stored
from shared.inbox import Inbox, Worker, pending_stats
from tests.services.matching.actions import assessed, capacity_changed, completed, requested, target_set
from tests.support import factories

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

REGISTERED, CAPACITY, ASSESSED, TARGET, TRAINED, REQUESTED = range(6)
ORDERS = list(permutations(range(6)))
ROWS = 17
"""Of each story, when all is heard: 2 clusters, their 4 places, 3 levels, each measured once, 2 gains, an activity, a
target and a request."""
OWNERS = {"cluster": "id", "activity": "host_id"}
"""The column that says of which cluster a row is, where it is not `cluster_id`."""
Order = tuple[int, ...]
TABLES: tuple[type[Base], ...] = (*PROJECTED, Slots)


@dataclass(frozen=True)
class Story:
    """A mentor and a learner in their own consortium, so that one database has room for a thousand of them."""

    order: Order
    mentor: UUID = field(default_factory=uuid4)
    learner: UUID = field(default_factory=uuid4)
    consortium: UUID = field(default_factory=uuid4)

    def past(self) -> list[Stored]:
        """The events before the permuted ones: the learner, with low levels."""
        return [
            factories.cluster_registered_event(
                1, cluster_id=self.learner, name="L", slug="l", consortium_id=self.consortium
            ),
            assessed(self.learner, 2, {"foresight": 1}, date(2017, 3, 1)),
        ]

    def events(self) -> list[Stored]:
        """The six events in their original order."""
        facts = {"name": "M", "slug": "m", "mentor_capacity": 3, "learner_capacity": 2}
        return [
            factories.cluster_registered_event(1, cluster_id=self.mentor, consortium_id=self.consortium, **facts),
            capacity_changed(self.mentor, 2, 1, 4),
            assessed(self.mentor, 3, {"foresight": 4, "strategy": 2}, date(2017, 4, 1)),
            target_set(self.learner, 3, "foresight", 5),
            completed({self.learner: {"foresight": 1}, self.mentor: {"strategy": 1}}, host=self.mentor),
            requested(self.learner, 4, consortium_id=self.consortium),
        ]

    @property
    def has_answer(self) -> bool:
        """Whether the request arrives after the mentor and its levels are known, so that it gets a proposal."""
        return {REGISTERED, ASSESSED} <= set(self.order[: self.order.index(REQUESTED)])


class MatchingInbox:
    """The inbox and worker of matching, run step by step."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._inbox = Inbox(database, consumer)
        self._worker = Worker(database, consumer, self._inbox)

    async def handle(self, events: Sequence[Stored]) -> None:
        """Receive these events and handle all of them."""
        await self._inbox.receive([(registry()[event.type].topic, event.record()) for event in events])
        while await self._worker.step():
            pass
        async with self.database.reading() as session:
            assert all((stats.pending, stats.dead) == (0, 0) for stats in await pending_stats(session, consumer))

    async def states(self, stories: Sequence[Story]) -> Counter[str]:
        """The number of stories by hash of their final state, without ids."""
        names = {story.mentor: (place, "mentor") for place, story in enumerate(stories)}
        names |= {story.learner: (place, "learner") for place, story in enumerate(stories)}
        known: dict[int, list[str]] = defaultdict(list)
        async with self.database.reading() as session:
            for table in TABLES:
                for row in await session.execute(select(*table.__table__.columns)):
                    place, role = names[getattr(row, OWNERS.get(table.__tablename__, "cluster_id"))]
                    values = [str(value) for value in row if not isinstance(value, UUID)]
                    known[place].append(repr((table.__tablename__, role, values)))
        assert {len(rows) for rows in known.values()} == {ROWS}
        return Counter(hashlib.sha256("".join(sorted(rows)).encode()).hexdigest() for rows in known.values())

    async def pairs(self) -> Counter[tuple[UUID, UUID]]:
        """The number of proposals by mentor and learner."""
        async with self.database.reading() as session:
            return Counter((row.mentor_id, row.learner_id) for row in (await session.scalars(select(Pair))).all())


@pytest.fixture
async def matching_inbox(service_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[MatchingInbox]:
    database = Database(await service_database("matching"), name="orders")
    yield MatchingInbox(database)
    await database.close()


def once(event: Stored) -> list[Stored]:
    return [event]


def twice(event: Stored) -> list[Stored]:
    """The event twice: a redelivery that the inbox ignores, and one after the inbox has deleted it."""
    return [event, event, replace(event, id=uuid4())]


@pytest.mark.parametrize("copies", [once, twice])
async def test_every_order_of_six_events_ends_in_one_state(
    matching_inbox: MatchingInbox, copies: Callable[[Stored], list[Stored]]
) -> None:
    stories = [Story(order) for order in ORDERS]
    histories = [story.events() for story in stories]
    await matching_inbox.handle([event for story in stories for event in story.past()])
    for place in range(6):
        await matching_inbox.handle(
            [
                copy
                for story, events in zip(stories, histories, strict=True)
                for copy in copies(events[story.order[place]])
            ]
        )
    assert list((await matching_inbox.states(stories)).values()) == [len(ORDERS)]
    assert await matching_inbox.pairs() == {(story.mentor, story.learner): 1 for story in stories if story.has_answer}


async def test_without_versions_the_order_would_decide(matching_inbox: MatchingInbox) -> None:
    stories = [Story(ORDERS[0]), Story(ORDERS[-1])]
    for story in stories:
        events = story.events()
        arriving = [*story.past(), *(events[place] for place in story.order)]
        for version, event in enumerate(arriving, 1):
            await matching_inbox.handle([replace(event, version=version)])
    assert len(await matching_inbox.states(stories)) == 2
