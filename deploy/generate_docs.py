"""Write the generated documents: `python -m deploy.generate_docs`. A second run changes nothing.

They are `docs/events.md`, `docs/asyncapi.yaml`, `docs/schemas/` (one JSON Schema per event type), `docs/openapi/`, the
table of events in `README.md`, the table of settings in `docs/operations.md`, and the response models of the console
and `kei status`.
"""

import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import SecretStr

from deploy import response_models, settings_docs
from deploy.databases import SERVICES
from shared.auth import KeySource
from shared.events import EventType, registry
from shared.events.asyncapi import document
from shared.events.schemas import Json, schema
from shared.settings import Settings
from shared.transport.local import LocalTransport

ROOT = Path(__file__).parent.parent
SAMPLES = Path("tests/contracts/samples")
FOLDERS = (Path("docs/schemas"), Path("docs/openapi"))
"""Folders that have generated documents only."""


def write(root: Path = ROOT) -> list[Path]:
    """Update all documents under `root`.

    Returns:
        The written and removed files, relative to `root`.
    """
    documents = generated(root)
    stale = [path for folder in FOLDERS for path in _files(root, folder) if path not in documents]
    for path in stale:
        (root / path).unlink()
    changed = [path for path, text in documents.items() if _text(root / path) != text]
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(documents[path], encoding="utf-8")
    return [*stale, *changed]


def generated(root: Path = ROOT) -> dict[Path, str]:
    """The expected text of each document, by path relative to `root`; it reads the samples under `root`.

    Raises:
        FileNotFoundError: an event type has no sample.
    """
    types = sorted(registry().values(), key=lambda entry: entry.service)
    samples = {entry.name: json.loads((root / SAMPLES / f"{entry.name}.json").read_bytes()) for entry in types}
    schemas = {entry.name: schema(entry) for entry in types}
    whole = yaml.dump(document(samples, _readers()), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    openapi = {name: _openapi(name) for name in SERVICES}
    return {
        Path("docs/asyncapi.yaml"): f"# Generated from the event registry by `make docs`.\n{whole}",
        Path("docs/events.md"): _page(types, schemas, samples),
        Path("README.md"): _filled(root / "README.md", "events", _overview(types)),
        Path("docs/operations.md"): _filled(root / "docs/operations.md", "settings", settings_docs.table()),
        **{Path(f"docs/schemas/{name}.json"): _json(event_schema) for name, event_schema in schemas.items()},
        **{Path(f"docs/openapi/{name}.json"): _json(service_document) for name, service_document in openapi.items()},
        **response_models.generated(openapi),
    }


def _openapi(service: str) -> Json:
    """The service's document. No server is asked: the application is only put together."""
    settings = Settings(database_url=SecretStr("postgresql://nobody@localhost/none"), cursor_secret=SecretStr("none"))
    main = importlib.import_module(f"services.{service}.main")
    app = main.build(settings, transport=LocalTransport(), keys=KeySource.of({"keys": []}))
    made: Json = app.openapi()
    return made


def _readers() -> dict[str, list[str]]:
    """The event types that each service handles."""
    handled: dict[str, list[str]] = {}
    for service in SERVICES:
        try:
            consumer = importlib.import_module(f"services.{service}.consumers").consumer
        except ModuleNotFoundError as error:
            if error.name != f"services.{service}.consumers":
                raise
        else:
            handled[service] = [name for name in registry() if consumer.handler_of(name) is not None]
    return handled


class _Plain(yaml.SafeDumper):
    """A dumper that repeats values instead of using anchors, which not all readers of YAML support."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the signature is yaml's
        return True


def _json(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _files(root: Path, folder: Path) -> list[Path]:
    return [path.relative_to(root) for path in sorted((root / folder).glob("*")) if path.is_file()]


# --- README.md


def _filled(path: Path, name: str, table: str) -> str:
    """The text of a hand-written page with a table between its two marks."""
    between = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", re.DOTALL)
    return between.sub(lambda _: table, path.read_text(encoding="utf-8"))


def _overview(types: Iterable[EventType]) -> str:
    readers = {service: set(names) for service, names in _readers().items()}
    rows = "".join(
        f"| `{entry.name.removeprefix('kei.')}` | {entry.summary} |"
        f" {', '.join(sorted(service for service, names in readers.items() if entry.name in names))} |\n"
        for entry in types
    )
    return f"| `kei.…` | Occurs when | Handled by |\n|---|---|---|\n{rows}"


# --- docs/events.md

_HEAD = """\
<!-- Generated from the event registry by `make docs`. -->
# Kei's events

Kei publishes each change as an event: a [CloudEvent](https://cloudevents.io) 1.0 with JSON data. Public events are for
partners. Machine-readable descriptions: [AsyncAPI](asyncapi.yaml), [JSON Schemas](schemas/).

## How to read events

An operator gives you an API key with `kei partner add NAME`. Send it as `X-API-Key` or as a bearer token, never in a
URL. `KEI` is the base URL of the notifications service; in the embedded mode it is `/api/notifications`.

**Pull.** Request the events after the last position that you have. `wait` holds the request open until there is an
event, for at most so many seconds; `types` may be repeated. Continue with `next`, even if there were no items.

```sh
curl -H "X-API-Key: $KEY" "$KEI/feed?after=0&limit=100&wait=25"
# {"items": [{"position": 1, "event": {"specversion": "1.0", "type": "…", "data": {…}, …}}], "next": 1}
```

**Stream.** Server-sent events: `id` is the position, `event` the type, `data` the event. After an interruption, send
the last `id` that you have as `Last-Event-ID`; most clients of such streams do so by themselves.

```sh
curl -N -H "X-API-Key: $KEY" -H "Last-Event-ID: 41" "$KEI/feed/stream"
```

**Kafka.** All public events are on the topic `kei.public.v1`, in binary mode: the attributes are headers that begin
with `ce_`, the value is the data, and the key is the `partitionkey`.

```python
async with AIOKafkaConsumer("kei.public.v1", bootstrap_servers=BROKERS, group_id="you") as consumer:
    async for record in consumer:
        headers = dict(record.headers)
        handle(headers["ce_id"].decode(), headers["ce_type"].decode(), json.loads(record.value))
```

## What you can rely on

- **Additive within a version.** Fields of a `v1` are never removed, renamed or given another type; new fields may
  be added. So ignore unknown fields, headers and types. An incompatible change becomes a `v2`, published together
  with the `v1`.
- **At least once.** An event may be delivered again, with the same `id`. Store the ids that you have handled.
- **In order per key.** Events of one `partitionkey` arrive in order of `sequence`, the version of the key, from 1.
  Numbers may be missing, since private events count too. Events of different keys have no order.
- **Open lists.** A label, a kind or a side may get new values: treat them as text, not as a closed list.
- **Invented data is marked.** If `illustrative` is true, or names a field, that data has no public source.
- Data has at most 64 kB, times are UTC, days are `YYYY-MM-DD`, ids are UUIDs.

## All types

"""

_ATTRIBUTES = """
## The attributes of every event

| Attribute | On Kafka | Meaning |
|---|---|---|
| `specversion` | `ce_specversion` | `1.0` |
| `id` | `ce_id` | identifies the event; a repeated delivery has the same id |
| `type` | `ce_type` | one of the types above |
| `source` | `ce_source` | the service that published the event, such as `/kei/members` |
| `subject` | `ce_subject` | the id of the aggregate, the same as `partitionkey` |
| `time` | `ce_time` | the time of the change, in UTC |
| `dataschema` | `ce_dataschema` | the `$id` of the data's JSON Schema |
| `partitionkey` | `ce_partitionkey` | the key: events of one key are in order |
| `sequence` | `ce_sequence` | the version of the aggregate that the key identifies, from 1 |
| `datacontenttype` | `content-type` | `application/json` |
| `traceparent` | `ce_traceparent` | W3C trace context; may be missing |
"""


def _page(types: Iterable[EventType], schemas: Mapping[str, Json], samples: Mapping[str, Json]) -> str:
    rows = "".join(
        f"| [`{entry.name}`](#{entry.name.replace('.', '')}) | {entry.summary} | {_yes(entry)} | `{entry.key}` |\n"
        for entry in types
    )
    table = f"| Type | Occurs when | Public | Key |\n|---|---|---|---|\n{rows}"
    parts = [_part(entry, schemas[entry.name], samples[entry.name]) for entry in types]
    return "".join([_HEAD, table, _ATTRIBUTES, *parts])


def _yes(entry: EventType) -> str:
    return "yes" if entry.public else "no"


def _part(entry: EventType, described: Json, sample: Json) -> str:
    rows = "".join(
        f"| `{name}` | {kind} | {text} |\n" for name, kind, text in _fields(described, described.get("$defs", {}))
    )
    return (
        f"\n## {entry.name}\n\n{' '.join(described['description'].split())}\n\n"
        f"{'Public' if entry.public else 'Not public'}; key `{entry.key}`; topic `{entry.topic}`"
        f"{' and `kei.public.v1`' if entry.public else ''}; [schema](schemas/{entry.name}.json).\n\n"
        f"| Field | Type | Meaning |\n|---|---|---|\n{rows}\n"
        f"```json\n{json.dumps(sample, indent=2, ensure_ascii=False)}\n```\n"
    )


def _fields(node: Json, named: Json, before: str = "") -> Iterator[tuple[str, str, str]]:
    """Each field with its type and description; fields of an inner object follow it, as `terms[].reason`."""
    for name, field in node.get("properties", {}).items():
        text = field.get("description", "") + ("" if name in node.get("required", ()) else " (may be missing)")
        yield before + name, _kind(field), " ".join(text.split())
        inner = field.get("items", {}).get("$ref", "").rpartition("/")[2]
        if inner:
            yield from _fields(named[inner], named, f"{before}{name}[].")


_KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text", "null": "null"}


def _kind(field: Any) -> str:  # noqa: ANN401  any part of a schema
    if "anyOf" in field:
        return " or ".join(_kind(variant) for variant in field["anyOf"])
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    if field.get("type") == "object":
        return f"object of {_kind(field['additionalProperties'])}" if "additionalProperties" in field else "object"
    return str(field.get("format") or _KINDS[field["type"]])


if __name__ == "__main__":
    for _path in write():
        typer.echo(_path)
