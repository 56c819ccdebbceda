"""Other versions of the event schemas: compatible and incompatible changes of each type."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from pydantic import create_model

from shared import clock
from shared.events import Data, EventType, registry
from shared.events.envelope import Stored, mirrored, parse_structured
from shared.events.schemas import schema
from tests.contracts.compatible import breaks
from tests.support.kei import ROOT

Json = dict[str, Any]
MOON = "kei.members.moon.landed.v1"
_SAMPLES = ROOT / "tests" / "contracts" / "samples"
_NEVER_SEEN = "of-the-future"
COLOUR = {"of": ["the", "moon"]}
"""The value of an unknown field."""


@dataclass(frozen=True)
class Change:
    """A change of the schemas.

    Args:
        schema: changes a schema.
        data: changes data accordingly; it gets the current schema too.
        compatible: whether it is allowed within a version.
    """

    schema: Callable[[Json], object]
    data: Callable[[Json, Json], object]
    compatible: bool


def _same(_: Json) -> None:
    """Leave the schema as it is: the change concerns data only."""


def _last(whole: Json) -> str:
    """A required field other than the key."""
    return str(whole["required"][-1])


def _leave_out(data: Json, whole: Json) -> None:
    for name in whole["properties"].keys() - set(whole["required"]):
        data.pop(name, None)


def _use_unknown_values(data: Json, whole: Json) -> None:
    """Replace every text without a format by an unknown value."""
    for name in data.keys() & whole["properties"].keys():
        field = whole["properties"][name]
        if any(kind.get("type") == "string" and "format" not in kind for kind in field.get("anyOf", [field])):
            data[name] = _NEVER_SEEN


def _add_colour(worker: Any) -> None:  # noqa: ANN401  any JSON
    """Add a field to each object, except `scores`, whose fields are indicators."""
    if isinstance(worker, list):
        for node in worker:
            _add_colour(node)
    if isinstance(worker, dict):
        for node in [value for name, value in worker.items() if name != "scores"]:
            _add_colour(node)
        worker["colour"] = COLOUR


def _lose(whole: Json) -> None:
    name = whole["required"].pop()
    del whole["properties"][name]


def _rename(whole: Json) -> None:
    name = whole["required"].pop()
    whole["properties"][f"new_{name}"] = whole["properties"].pop(name)


def _retype(whole: Json) -> None:
    whole["properties"][_last(whole)] = {"type": "object"}


CHANGES = {
    "as it is": Change(_same, lambda data, _: data, compatible=True),
    "fields more": Change(
        lambda whole: whole["properties"].update(colour={"type": "object"}),
        lambda data, _: _add_colour(data),
        compatible=True,
    ),
    "optional left out": Change(_same, _leave_out, compatible=True),
    "values more": Change(_same, _use_unknown_values, compatible=True),
    "a field gone": Change(_lose, lambda data, whole: data.pop(_last(whole)), compatible=False),
    "a field renamed": Change(_rename, lambda data, whole: data.update(new=data.pop(_last(whole))), compatible=False),
    "a field of another type": Change(
        _retype, lambda data, whole: data.update({_last(whole): {"is": "new"}}), compatible=False
    ),
}


DEMAND = Change(
    lambda whole: (whole["properties"].update(colour={}), whole["required"].append("colour")),
    lambda data, _: data,
    compatible=False,
)
"""What a reader may not do: want a field that old writers do not have."""


class Sent(NamedTuple):
    """An event, and the reason why a current reader cannot read it, if any."""

    event: Stored
    dead: str = ""


class _Landed(Data):
    cluster_id: UUID


def schema_faults(entry: EventType, change: Change) -> list[str]:
    """The faults that the schema check reports for a change."""
    old = schema(entry)
    new = copy.deepcopy(old)
    change.schema(new)
    return breaks(old, new)


def sample(entry: EventType) -> Json:
    """A golden sample of an event type, in structured mode."""
    whole: Json = json.loads((_SAMPLES / f"{entry.name}.json").read_bytes())
    return whole


def _event(entry: EventType, key: UUID, version: int, change: Change) -> Stored:
    """The sample as an event of this key, with the change in its data."""
    whole = sample(entry)
    whole["data"][entry.key] = whole["partitionkey"] = str(key)
    stored = mirrored(parse_structured(json.dumps(whole).encode()))
    change.data(whole["data"], schema(entry))
    return replace(stored, id=clock.new_id(), version=version, data=json.dumps(whole["data"]).encode())


def between_others(entry: EventType, change: Change) -> list[Sent]:
    """A changed event between two unchanged events of its key."""
    key, reason = uuid4(), "" if change.compatible else "does not fit"
    kinds = ((CHANGES["as it is"], ""), (change, reason), (CHANGES["as it is"], ""))
    return [Sent(_event(entry, key, version, kind), dead) for version, (kind, dead) in enumerate(kinds, 1)]


def in_stages(types: Sequence[EventType], *changes: str) -> list[list[Sent]]:
    """An event of each type, then an event of each type with each further change, on the same keys."""
    keys = [uuid4() for _ in types]
    return [
        [Sent(_event(entry, key, version, CHANGES[change])) for entry, key in zip(types, keys, strict=True)]
        for version, change in enumerate(changes, 1)
    ]


def of_unknown_types() -> list[Sent]:
    """Events of unknown types and versions, on known topics."""
    same, known = CHANGES["as it is"], list(registry().values())
    names = [(entry, entry.name.replace(".v1", ".v2")) for entry in known]
    names += [(entry, MOON) for entry in known if (entry.service, entry.key) == ("members", "cluster_id")]
    return [Sent(replace(_event(entry, uuid4(), 1, same), type=name), "unknown type") for entry, name in names]


def topic(sent: Sent) -> str:
    """The topic of the event's service, for known and unknown types."""
    return f"kei.{sent.event.type.split('.')[1]}.v1"


def register_changed_types(
    monkeypatch: pytest.MonkeyPatch, types: Sequence[EventType], *, demanding: bool = False
) -> None:
    """Register changed types: an additional type, and an additional field in each; `demanding`: it is required."""
    colour: Any = (Any, ... if demanding else None)
    changed = [replace(entry, model=create_model(entry.name, __base__=entry.model, colour=colour)) for entry in types]
    changed.append(EventType(MOON, _Landed, "cluster_id", public=False))
    module = import_module(registry.__module__)  # by name it would be the function
    monkeypatch.setattr(module, "_types", {entry.name: entry for entry in changed})
    monkeypatch.setattr(module, "_by_model", {entry.model: entry for entry in changed})
