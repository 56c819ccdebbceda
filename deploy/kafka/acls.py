"""Rights on Kafka, derived from the event registry and from the services' consumers."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Literal

from shared.events import PUBLIC_TOPIC, registry
from shared.inbox import Consumer

MIRROR = "notifications"
"""The service that also writes the public topic."""
PUBLIC_TOPICS = f"{PUBLIC_TOPIC.rpartition('.')[0]}."
"""Prefix of the names of all public topics, future versions included."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A right to a topic or group; with `prefix`, to all names that begin with it. Includes the right to describe."""

    operation: Literal["read", "write"]
    kind: Literal["topic", "group"]
    name: str
    prefix: bool = False


def service_rules(service: str) -> frozenset[Rule]:
    """The rights of a service: to write its own topics, and to read the topics of its consumer in its group."""
    written = {entry.topic for entry in registry().values() if entry.service == service}
    if service == MIRROR:
        written.add(PUBLIC_TOPIC)
    rules = {Rule("write", "topic", topic) for topic in written}
    consumer = _consumer(service)
    if consumer is not None:
        rules |= {Rule("read", "topic", topic) for topic in consumer.topics}
        rules.add(Rule("read", "group", consumer.name))
    return frozenset(rules)


def partner_rules(user: str) -> frozenset[Rule]:
    """The rights of a partner: to read the public topics, in groups with names that begin with its user and a dot."""
    return frozenset(
        {Rule("read", "topic", PUBLIC_TOPICS, prefix=True), Rule("read", "group", f"{user}.", prefix=True)}
    )


def _consumer(service: str) -> Consumer | None:
    name = f"services.{service}.consumers"
    if importlib.util.find_spec(name) is None:
        return None
    consumer: Consumer = importlib.import_module(name).consumer
    return consumer
