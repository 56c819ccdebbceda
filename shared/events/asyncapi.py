"""Generates the AsyncAPI 3.0 document from the registry, so that it cannot drift from the code."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from shared.events.registry import PUBLIC_TOPIC, EventType, registry, topics
from shared.events.schemas import plain

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_TEXT: Json = {"type": "string"}
_ID: Json = {"type": "string", "format": "uuid"}


def document(samples: Mapping[str, Json], readers: Mapping[str, Collection[str]]) -> Json:
    """The AsyncAPI 3.0 document of all services.

    Args:
        samples: an event in structured mode by event type.
        readers: the handled event types by service.

    Raises:
        KeyError: a type has no sample.
    """
    types = list(registry().values())
    return {
        "asyncapi": "3.0.0",
        "id": "urn:kei:events",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {topic: _channel(topic) for topic in topics()} | _FEED_CHANNELS,
        "operations": _sends(types) | _receives(readers) | _FEED_OPERATIONS,
        "components": {
            "messages": {entry.name: _message(entry, samples[entry.name]) for entry in types} | _FEED_MESSAGES,
            "schemas": _schemas(types) | _FEED_SCHEMAS,
            "securitySchemes": _SECURITY,
        },
    }


def of_topic(topic: str) -> list[EventType]:
    """The event types that a topic carries."""
    return [entry for entry in registry().values() if topic == entry.topic or (entry.public and topic == PUBLIC_TOPIC)]


def _schemas(types: Iterable[EventType]) -> Json:
    schemas: Json = {}
    for entry in types:
        schema = plain(entry.model.model_json_schema(ref_template=_REF))
        schemas |= schema.pop("$defs", {})
        schemas[entry.model.__name__] = {"title": entry.model.__name__, **schema}
    return dict(sorted(schemas.items()))


def _message(entry: EventType, sample: Json) -> Json:
    """One event type in binary mode: attributes as headers, data as payload."""
    attributes = {name: value for name, value in sample.items() if name not in {"data", "datacontenttype"}}
    headers = {f"ce_{name}": value for name, value in attributes.items()} | {"content-type": sample["datacontenttype"]}
    return {
        "name": entry.name,
        "title": _title(entry),
        "summary": entry.summary,
        "contentType": "application/json",
        "headers": _headers(entry),
        "payload": {"$ref": _REF.format(model=entry.model.__name__)},
        "tags": [{"name": "public" if entry.public else "internal"}],
        "bindings": {"kafka": {"key": {**_ID, "description": f"the data's {entry.key}"}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": "golden", "headers": headers, "payload": sample["data"]}],
    }


def _title(entry: EventType) -> str:
    return " ".join(entry.name.split(".")[2:4]).capitalize()


def _headers(entry: EventType) -> Json:
    key: Json = {**_ID, "description": f"the data's {entry.key}"}
    properties: Json = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**_ID, "description": "names the event; the same when it is sent again"},
        "ce_type": {"const": entry.name},
        "ce_source": {"const": f"/kei/{entry.service}"},
        "ce_subject": key,
        "ce_time": {"type": "string", "format": "date-time", "description": "when it happened, in UTC"},
        "ce_dataschema": {"const": entry.schema_uri},
        "ce_partitionkey": key,
        "ce_sequence": {**_TEXT, "pattern": "^[1-9][0-9]*$", "description": "the key's version: its events in order"},
        "content-type": {"const": "application/json"},
    }
    required = sorted(properties)
    trace: Json = {**_TEXT, "description": "W3C trace context of what caused it"}
    return {"type": "object", "required": required, "properties": properties | {"ce_traceparent": trace}}


def _channel(topic: str) -> Json:
    service = topic.split(".")[1]
    own = f"All events of {service}"
    description = "All public events, mirrored with the same ids and bytes" if topic == PUBLIC_TOPIC else own
    return {
        "address": topic,
        "title": topic,
        "description": f"{description}, in order per key.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {entry.name: {"$ref": f"#/components/messages/{entry.name}"} for entry in of_topic(topic)},
        "bindings": {
            "kafka": {"topic": topic, "topicConfiguration": {"retention.ms": -1}, "bindingVersion": "0.5.0"},
        },
    }


def _operation(action: str, channel: str, types: Iterable[str], summary: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in types],
    }


def _sends(types: Collection[EventType]) -> Json:
    schema: Json = {}
    for service in sorted({entry.service for entry in types}):
        own = [entry.name for entry in types if entry.service == service]
        schema[f"{service}.send"] = _operation(
            "send", f"kei.{service}.v1", own, f"{service} tells what happened in it."
        )
    public = [entry.name for entry in types if entry.public]
    schema["notifications.mirror"] = _operation(
        "send", PUBLIC_TOPIC, public, "notifications mirrors every public event."
    )
    schema["partners.receive"] = _operation("receive", PUBLIC_TOPIC, public, "Partners read what is public.")
    return schema


def _receives(readers: Mapping[str, Collection[str]]) -> Json:
    schema: Json = {}
    for reader, names in sorted(readers.items()):
        entries = [registry()[name] for name in sorted(names)]
        for topic in sorted({entry.topic for entry in entries}):
            wanted = [entry.name for entry in entries if entry.topic == topic]
            entry = _operation("receive", topic, wanted, f"{reader} handles these in its own transaction, each once.")
            group: Json = {"groupId": {**_TEXT, "enum": [reader]}, "bindingVersion": "0.5.0"}
            schema[f"{reader}.receive.{topic.split('.')[1]}"] = entry | {"bindings": {"kafka": group}}
    return schema


_INFO: Json = {
    "title": "Kei events",
    "version": "1",
    "description": (
        "What Kei's services tell each other and its partners: CloudEvents 1.0, in binary mode on Kafka and in"
        " structured mode in the feed. Within one version of a type fields are only added, so ignore those you do not"
        " know. Delivery is at least once: remember `id`. Events of one `partitionkey` come in order of `sequence`."
    ),
    "license": {"name": "Apache-2.0"},
}
_SECURITY: Json = {
    "apiKey": {"type": "httpApiKey", "in": "header", "name": "X-API-Key", "description": "A partner's key."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A partner's key, or a token of the issuer."},
}
_SERVERS: Json = {
    "kafka": {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka cluster of the installation. Partners read kei.public.v1.",
        "variables": {"bootstrap": {"description": "host:port of its brokers"}},
    },
    "feed": {
        "host": "{notifications}",
        "protocol": "https",
        "description": "The public events over HTTP, as the OpenAPI document of notifications tells in full.",
        "variables": {"notifications": {"description": "where the service notifications answers"}},
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("apiKey", "bearer")],
    },
}
_POSITION: Json = {"type": "integer", "minimum": 1, "description": "place in the feed; there are no gaps"}
_NAMES = ("specversion", "id", "type", "source", "subject", "time", "dataschema", "partitionkey", "sequence")
_FEED_SCHEMAS: Json = {
    "CloudEvent": {
        "description": "A public event in structured mode; its data is described by its type's message.",
        "type": "object",
        "required": [*_NAMES, "datacontenttype", "data"],
        "properties": dict.fromkeys((*_NAMES, "datacontenttype", "traceparent"), _TEXT) | {"data": {"type": "object"}},
    },
    "FeedPage": {
        "description": "A page of the feed. Go on after `next`.",
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["position", "event"],
                    "properties": {"position": _POSITION, "event": {"$ref": _REF.format(model="CloudEvent")}},
                },
            },
            "next": {"type": "integer", "minimum": 0},
        },
    },
}
_FEED_MESSAGES: Json = {
    "feed.page": {
        "name": "feed.page",
        "title": "Page of the feed",
        "summary": "Some public events with their positions.",
        "payload": {"$ref": _REF.format(model="FeedPage")},
    },
    "feed.event": {
        "name": "feed.event",
        "title": "Event of the stream",
        "summary": "The data of one server-sent event; its id is the position, its event the type.",
        "payload": {"$ref": _REF.format(model="CloudEvent")},
    },
}


def _feed_channel(address: str, message: str, description: str) -> Json:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": "#/servers/feed"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }


_FEED_CHANNELS: Json = {
    "feed": _feed_channel("/feed", "feed.page", "The public events above a position, oldest first."),
    "stream": _feed_channel("/feed/stream", "feed.event", "The same as server-sent events, and what is to come."),
}
_FEED_OPERATIONS: Json = {
    "notifications.answer": _operation("send", "feed", ["feed.page"], "notifications answers GET /feed."),
    "notifications.stream": _operation("send", "stream", ["feed.event"], "notifications streams GET /feed/stream."),
}
