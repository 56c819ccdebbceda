"""The registry of event types.

A type is `kei.<service>.<entity>.<fact>.v<n>`; all types of a service share one topic.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

PUBLIC_TOPIC = "kei.public.v1"
"""The topic to which the service notifications mirrors every public event."""

_TYPE = re.compile(r"^kei\.(?P<service>[a-z]+)\.[a-z]+\.[a-z]+\.v[1-9][0-9]*$")


class Data(BaseModel):
    """The data of an event. Unknown fields are ignored; values of open lists (a label, a kind) are text."""

    model_config = ConfigDict(frozen=True, extra="ignore")


D = TypeVar("D", bound=Data)


@dataclass(frozen=True, slots=True)
class EventType:
    """An entry of the registry: `key` is the field of `model` with the id of the aggregate."""

    name: str
    model: type[Data]
    key: str
    public: bool

    @property
    def service(self) -> str:
        """The service that publishes this type."""
        return self.name.split(".")[1]

    @property
    def topic(self) -> str:
        """The Kafka topic of this type."""
        return f"kei.{self.service}.v1"

    @property
    def schema_uri(self) -> str:
        """The `dataschema` attribute."""
        return f"urn:kei:schema:{self.name}"

    @property
    def summary(self) -> str:
        """The first line of the model's docstring."""
        return (self.model.__doc__ or "").strip().splitlines()[0]


_types: dict[str, EventType] = {}
_by_model: dict[type[Data], EventType] = {}


def event(name: str, *, key: str, public: bool) -> Callable[[type[D]], type[D]]:
    """Register the decorated model as the data of event type `name`.

    Raises:
        ValueError: the name is malformed or registered already, or the model has no field `key`.
    """

    def register(model: type[D]) -> type[D]:
        if not _TYPE.match(name) or name in _types or key not in model.model_fields:
            message = f"{name}: malformed, registered twice, or {model.__name__} has no field {key}"
            raise ValueError(message)
        _types[name] = _by_model[model] = EventType(name, model, key, public)
        return model

    return register


def registry() -> Mapping[str, EventType]:
    """All event types by name."""
    return MappingProxyType(_types)


def type_of(model: type[Data]) -> EventType:
    """The event type of a data model."""
    return _by_model[model]


def topics() -> list[str]:
    """All topics, including the public mirror."""
    return sorted({entry.topic for entry in _types.values()} | {PUBLIC_TOPIC})
