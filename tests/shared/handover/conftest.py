from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from deploy.topics import create_topics
from shared.wire import Wire
from shared.wire.kafka import KafkaWire
from shared.wire.local import LocalWire
from tests.shared.handover.rig import Rig, prepared
from tests.support.postgres import Postgres


@pytest.fixture(params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
async def make_wire(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Wire]]:
    """Both wires. The local one is shared by all parties, as in the one process it is for."""
    made: list[Wire] = []
    if request.param == "local":
        made.append(LocalWire())
        yield lambda: made[0]
    else:
        servers: str = request.getfixturevalue("kafka")
        await create_topics(servers)

        def make() -> Wire:
            made.append(KafkaWire(servers, "conformance"))
            return made[-1]

        yield make
    for wire in made:
        await wire.close()


@pytest.fixture
async def rig(postgres: Postgres, make_wire: Callable[[], Wire]) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        databases = []
        for name in ("source", "sink"):
            url = await postgres.create()
            stack.push_async_callback(postgres.drop, url)
            databases.append(await prepared(url, name))
            stack.push_async_callback(databases[-1].close)
        source, sink = databases
        yield Rig(source, sink, make_wire)


@pytest.fixture
def consumer_name() -> str:
    """A group of its own: the topic is shared by all tests."""
    return f"c{uuid4().hex[:12]}"
