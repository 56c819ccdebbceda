"""Creates the Kafka topics of the event registry.

Brokers have automatic creation off, so this runs before the services.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from deploy.errors import UserError
from shared.events import topics
from shared.transport.kafka_connection import KafkaConnectionSettings

DEADLINE = 30.0
PARTITIONS = 8
_RETENTION = "retention.ms"
_BROKER_TIMESTAMPS = {"message.timestamp.type": "LogAppendTime"}
"""With a sender's clock Kafka would refuse records an hour ahead, and delete records too early that are behind."""
_DAY = timedelta(days=1) // timedelta(milliseconds=1)


class TopicsError(UserError):
    """The topics could not be created or seen; the text is a message for the operator."""


class TopicDifference(NamedTuple):
    """How a topic differs from the options: a sentence with the remedy, and whether it has too few partitions."""

    sentence: str
    too_few: bool


async def create_topics(
    servers: str | KafkaConnectionSettings,
    names: Iterable[str] | None = None,
    *,
    partitions: int = PARTITIONS,
    replication: int = 1,
    retention_days: int | None = None,
) -> list[str]:
    """Create the missing topics of `names` (None: all topics of the registry); return the created ones.

    Args:
        servers: host:port, or connection settings.
        names: names of topics.
        partitions: partitions of each topic.
        replication: replicas of each partition.
        retention_days: days for which records are kept; for ever if None.

    Raises:
        TopicsError: the cluster cannot be reached or refuses.
    """
    settings = {_RETENTION: str(_retention_ms(retention_days)), **_BROKER_TIMESTAMPS}
    wanted = [
        NewTopic(name, partitions, replication, topic_configs=settings)
        for name in (topics() if names is None else names)
    ]
    async with _connected(KafkaConnectionSettings.to(servers)) as admin:
        response = await admin.create_topics(wanted)
        created = []
        for name, code, *_ in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error(name)
            if not code:
                created.append(name)
        return created


async def differences(
    servers: str | KafkaConnectionSettings,
    names: Iterable[str],
    *,
    partitions: int = PARTITIONS,
    retention_days: int | None = None,
) -> list[TopicDifference]:
    """How topics differ from the options. Nothing is changed.

    Raises:
        TopicsError: the cluster cannot be reached or refuses, or has no such topic.
    """
    async with _connected(KafkaConnectionSettings.to(servers)) as admin:
        parts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(names))}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, {_RETENTION: None}) for name in parts]
        retentions = {}
        for response in await admin.describe_configs(resources):
            for code, _, _, name, entries in response.resources:
                if code:
                    raise for_code(code)(name)
                retentions[name] = int(entries[0][1])
    retention_ms = _retention_ms(retention_days)
    partition_differences = [
        _partition_difference(name, parts[name], partitions) for name in sorted(parts) if parts[name] != partitions
    ]
    return partition_differences + [
        _retention_difference(name, retentions[name], retention_ms)
        for name in sorted(retentions)
        if retentions[name] != retention_ms
    ]


def _partition_difference(name: str, current: int, expected: int) -> TopicDifference:
    sentence = (
        f"Topic {name} has {current} partitions, not {expected}. A change would break the order of its keys:"
        f" use --partitions {current}, or stop Kei, delete the topic, create it again and replay its events."
    )
    return TopicDifference(sentence, current < expected)


def _retention_difference(name: str, current: int, expected: int) -> TopicDifference:
    sentence = (
        f"Topic {name} keeps records {_days_text(current)}, not {_days_text(expected)}. To change it:"
        f" kafka-configs.sh --alter --topic {name} --add-config {_RETENTION}={expected}"
    )
    return TopicDifference(sentence, too_few=False)


def _retention_ms(days: int | None) -> int:
    return -1 if days is None else days * _DAY


def _days_text(milliseconds: int) -> str:
    return "for ever" if milliseconds < 0 else f"for {milliseconds / _DAY:g} days"


@asynccontextmanager
async def _connected(access: KafkaConnectionSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**access.options())
    try:
        async with asyncio.timeout(DEADLINE):
            await admin.start()
            yield admin
    except KafkaConnectionError as error:
        raise TopicsError(f"{access.unreachable_reason}.") from error
    except (KafkaError, OSError, TimeoutError) as error:
        reason = access.describe(error, "create or describe topics")
        raise TopicsError(f"Kafka at {access.servers} refuses, or does not respond: {reason}.") from error
    finally:
        await admin.close()
