"""Who may do what on Kafka, worked out from the event registry and from what the services handle."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Literal

from shared.events import PUBLIC_TOPIC, registry
from shared.inbox import Consumer

MIRROR = "notifications"
"""The service that writes the public topic, beside its own."""
PUBLIC_TOPICS = f"{PUBLIC_TOPIC.rpartition('.')[0]}."
"""How the names of all public topics begin, those of versions to come too."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A right to one topic or group, or with `prefix` to all whose names begin so. To describe comes with either."""

    operation: Literal["read", "write"]
    kind: Literal["topic", "group"]
    name: str
    prefix: bool = False


def service_rules(service: str) -> frozenset[Rule]:
    """What a service needs, and no more: to write its events, and to read in its group what it handles."""
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
    """What a partner may: read the public topics, in groups that begin with its own name and a dot."""
    return frozenset(
        {Rule("read", "topic", PUBLIC_TOPICS, prefix=True), Rule("read", "group", f"{user}.", prefix=True)}
    )


def _consumer(service: str) -> Consumer | None:
    name = f"services.{service}.consumers"
    if importlib.util.find_spec(name) is None:
        return None
    consumer: Consumer = importlib.import_module(name).consumer
    return consumer
