"""Creates the Kafka topics of the event registry.

Brokers have automatic creation off, so this runs before the services.
"""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events import topics

DEADLINE = 30.0


async def create_topics(
    servers: str, names: Iterable[str] | None = None, *, partitions: int = 8, replication: int = 1
) -> list[str]:
    """Create what is missing of `names` (all topics of the registry, if None); return what was created.

    Raises:
        KafkaError: the cluster is not reached or refuses.
    """
    wanted = [
        NewTopic(name, partitions, replication, topic_configs={"retention.ms": "-1"})
        for name in (topics() if names is None else names)
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        async with asyncio.timeout(DEADLINE):
            await admin.start()
            answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    created = []
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)
        if not code:
            created.append(name)
    return created
