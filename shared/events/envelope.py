"""CloudEvents 1.0 in both content modes. The data is serialised once, when it is appended; after that it stays bytes.

Binary mode (Kafka) has the attributes in `ce_` headers and the data as value; structured mode (feed, SSE) is one JSON
object. `sequence` is the version of the aggregate, `partitionkey` its id; both are extensions of the specification.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from shared.dates import Time
from shared.events.registry import PUBLIC_TOPIC, Data, EventType, registry

MAX_BYTES = 64 * 1024
"""Maximum size of the data of an event."""

T_co = TypeVar("T_co", bound=Data, covariant=True)
_UTF8_ATTRIBUTES = ("specversion", "id", "type", "source", "time", "partitionkey", "sequence", "traceparent")
_time = TypeAdapter(Time)


class Poison(Exception):
    """A record that no retry can make readable; the text is the reason."""


class Record(NamedTuple):
    """A record of the transport."""

    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Event(Generic[T_co]):
    """An event read from a record. `raw` is its data as bytes."""

    id: UUID
    type: str
    source: str
    key: UUID
    version: int
    time: datetime
    traceparent: str | None
    data: T_co
    raw: bytes

    @property
    def entry(self) -> EventType:
        """The entry of its type in the registry."""
        return registry()[self.type]


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as the outbox stores it: attributes in columns, data as bytes."""

    id: UUID
    type: str
    source: str
    key: UUID
    version: int
    time: datetime
    traceparent: str | None
    data: bytes

    def record(self) -> Record:
        """The event in binary mode."""
        key = str(self.key).encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(self.id).encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", key),
            ("ce_time", rfc3339(self.time).encode()),
            ("ce_dataschema", f"urn:kei:schema:{self.type}".encode()),
            ("ce_partitionkey", key),
            ("ce_sequence", str(self.version).encode()),
            ("content-type", b"application/json"),
        ]
        if self.traceparent:
            headers.append(("ce_traceparent", self.traceparent.encode()))
        return Record(key, tuple(headers), self.data)


def rfc3339(time: datetime) -> str:
    """`time`, in UTC, in the format of RFC 3339."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def structured(event: Stored) -> bytes:
    """The event in structured mode: one JSON object that contains the bytes of the data unchanged."""
    attributes = {name.removeprefix("ce_"): value.decode() for name, value in event.record().headers}
    attributes["datacontenttype"] = attributes.pop("content-type")
    head = json.dumps(attributes, separators=(",", ":"), ensure_ascii=False)
    return b"".join((head[:-1].encode(), b',"data":', event.data, b"}"))


def parse(record: Record, topic: str) -> Event[Data]:
    """Read a record in binary mode from `topic`.

    Raises:
        Poison: the record is not a valid event.
    """
    if record.value is None:
        raise Poison("no value: a tombstone is not an event")
    event = _event(_attributes(record.headers), record.value)
    if event.entry.topic != topic and not (event.entry.public and topic == PUBLIC_TOPIC):
        raise Poison(f"type {event.type} does not belong on topic {topic}")
    if record.key != str(event.key).encode():
        raise Poison("the record's key is not the event's partitionkey")
    return event


def parse_structured(text: bytes) -> Event[Data]:
    """Read an event in structured mode.

    Raises:
        Poison: the text is not a valid event.
    """
    try:
        attributes = json.loads(text)
        data = json.dumps(attributes.pop("data"), separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise Poison(f"not a structured event: {error}") from error
    return _event({name: str(value) for name, value in attributes.items() if value is not None}, data)


def _attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    wanted = {f"ce_{name}": name for name in _UTF8_ATTRIBUTES}
    attributes: dict[str, str] = {}
    for header, value in headers:
        if (name := wanted.get(header)) is None:
            continue  # other headers are not checked
        try:
            attributes[name] = (value or b"").decode()
        except UnicodeDecodeError as error:
            raise Poison(f"header {header} is not UTF-8") from error
        if "\0" in attributes[name]:
            raise Poison(f"header {header} contains the NUL character")
    return attributes


def _event(attributes: Mapping[str, str], raw: bytes) -> Event[Data]:
    if len(raw) > MAX_BYTES:
        raise Poison(f"data of {len(raw)} bytes is over the limit of {MAX_BYTES}")
    if attributes.get("specversion") != "1.0":
        raise Poison(f"specversion is {attributes.get('specversion')!r}, not '1.0'")
    if (entry := registry().get(attributes.get("type", ""))) is None:
        raise Poison(f"unknown type {attributes.get('type', '')[:200]!r}")
    try:
        event: Event[Data] = Event(
            id=UUID(attributes["id"]),
            type=entry.name,
            source=attributes["source"],
            key=UUID(attributes["partitionkey"]),
            version=_version(attributes["sequence"]),
            time=_time.validate_python(attributes["time"]),
            traceparent=attributes.get("traceparent"),
            data=entry.model.model_validate_json(raw),
            raw=raw,
        )
    except KeyError as error:
        raise Poison(f"attribute {error.args[0]} is missing") from error
    except ValidationError as error:
        raise Poison(f"data or time does not fit {entry.name}: {_first_error(error)}") from error
    except ValueError as error:
        raise Poison(f"id, partitionkey or sequence is malformed: {error}") from error
    return _checked(event, entry)


def _version(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):  # noqa: PLR2004  digits that fit a bigint
        raise ValueError(f"sequence is {digits[:20]!r}")
    return int(digits)


def _checked(event: Event[Data], entry: EventType) -> Event[Data]:
    if event.version < 1:
        raise Poison(f"sequence is {event.version}: versions begin at 1")
    if getattr(event.data, entry.key) != event.key:
        raise Poison(f"partitionkey is not the data's {entry.key}")
    return event


def _first_error(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}"


def mirrored(event: Event[Data]) -> Stored:
    """The same event for another outbox: same id, same bytes."""
    return Stored(
        event.id, event.type, event.source, event.key, event.version, event.time, event.traceparent, event.raw
    )
