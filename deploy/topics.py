"""Creates the Kafka topics of the event registry.

Brokers have automatic creation off, so this runs before the services.
"""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.events import topics

DEADLINE = 30.0


class NoTopics(Exception):
    """The topics could not be created; the text is a sentence for whoever asked for them."""


async def create_topics(
    servers: str, names: Iterable[str] | None = None, *, partitions: int = 8, replication: int = 1
) -> list[str]:
    """Create what is missing of `names` (all topics of the registry, if None); return what was created.

    Raises:
        NoTopics: the cluster is not reached or refuses.
    """
    wanted = [
        NewTopic(name, partitions, replication, topic_configs={"retention.ms": "-1"})
        for name in (topics() if names is None else names)
    ]
    try:
        return await _created(servers, wanted)
    except (KafkaError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise NoTopics(f"Kafka at {servers} is not reached, or refuses to create topics: {reason}.") from error


async def _created(servers: str, wanted: list[NewTopic]) -> list[str]:
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
