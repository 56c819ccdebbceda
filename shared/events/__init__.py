"""The published language: every event type, its data model, key and topic. Additive change only within one version."""

from shared.events import matching, members, trainings
from shared.events.envelope import Event, Poison, Record, parse, structured
from shared.events.registry import PUBLIC_TOPIC, Data, EventType, registry, topics

__all__ = [
    "PUBLIC_TOPIC",
    "Data",
    "Event",
    "EventType",
    "Poison",
    "Record",
    "matching",
    "members",
    "parse",
    "registry",
    "structured",
    "topics",
    "trainings",
]
