"""Versions of the published language that are not today's: each type as it may be tomorrow, or may not."""

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
"""The value of a field that nobody knows yet."""


@dataclass(frozen=True)
class Change:
    """What is different tomorrow.

    Args:
        schema: makes today's schema into tomorrow's.
        data: likewise today's data, by the schema of today.
        compatible: whether it may happen within one version.
    """

    schema: Callable[[Json], object]
    data: Callable[[Json, Json], object]
    compatible: bool


def _same(_: Json) -> None:
    """Data may differ where the schema does not say how it has to be."""


def _last(whole: Json) -> str:
    """A required field that is not the key."""
    return str(whole["required"][-1])


def _leave_out(data: Json, whole: Json) -> None:
    for name in whole["properties"].keys() - set(whole["required"]):
        data.pop(name, None)


def _say_new_words(data: Json, whole: Json) -> None:
    """Every text that has no closed form is one that nobody has ever seen."""
    for name in data.keys() & whole["properties"].keys():
        field = whole["properties"][name]
        if any(kind.get("type") == "string" and "format" not in kind for kind in field.get("anyOf", [field])):
            data[name] = _NEVER_SEEN


def _add_colour(worker: Any) -> None:  # noqa: ANN401  any JSON
    """A field more in each object, but for `scores`, whose fields are indicators."""
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
    "values more": Change(_same, _say_new_words, compatible=True),
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
    """An event, and why a reader of today cannot read it, if it cannot."""

    event: Stored
    dead: str = ""


class _Landed(Data):
    cluster_id: UUID


def judged(entry: EventType, change: Change) -> list[str]:
    """What the check of schemas finds wrong with a change."""
    old = schema(entry)
    new = copy.deepcopy(old)
    change.schema(new)
    return breaks(old, new)


def sample(entry: EventType) -> Json:
    """An event as it was once published, in structured mode."""
    whole: Json = json.loads((_SAMPLES / f"{entry.name}.json").read_bytes())
    return whole


def _event(entry: EventType, key: UUID, version: int, change: Change) -> Stored:
    """The published event, as another of this key, with the change in its data."""
    whole = sample(entry)
    whole["data"][entry.key] = whole["partitionkey"] = str(key)
    stored = mirrored(parse_structured(json.dumps(whole).encode()))
    change.data(whole["data"], schema(entry))
    return replace(stored, id=clock.new_id(), version=version, data=json.dumps(whole["data"]).encode())


def between_others(entry: EventType, change: Change) -> list[Sent]:
    """A changed event between two of its key that are as they are today."""
    key, reason = uuid4(), "" if change.compatible else "does not fit"
    kinds = ((CHANGES["as it is"], ""), (change, reason), (CHANGES["as it is"], ""))
    return [Sent(_event(entry, key, version, kind), dead) for version, (kind, dead) in enumerate(kinds, 1)]


def one_after_the_other(types: Sequence[EventType], *changes: str) -> list[list[Sent]]:
    """An event of each type, and then one of each with the next change, on the same keys."""
    keys = [uuid4() for _ in types]
    return [
        [Sent(_event(entry, key, version, CHANGES[change])) for entry, key in zip(types, keys, strict=True)]
        for version, change in enumerate(changes, 1)
    ]


def of_types_to_come() -> list[Sent]:
    """Events of types and versions that nobody knows yet, on known topics."""
    same, known = CHANGES["as it is"], list(registry().values())
    names = [(entry, entry.name.replace(".v1", ".v2")) for entry in known]
    names += [(entry, MOON) for entry in known if (entry.service, entry.key) == ("members", "cluster_id")]
    return [Sent(replace(_event(entry, uuid4(), 1, same), type=name), "unknown type") for entry, name in names]


def topic(sent: Sent) -> str:
    """The topic of its service, whether the type is known or not."""
    return f"kei.{sent.event.type.split('.')[1]}.v1"


def grow(monkeypatch: pytest.MonkeyPatch, types: Sequence[EventType], *, demanding: bool = False) -> None:
    """Let the code know tomorrow's types: one more, and one more field in each; `demanding`: it may not be missing."""
    colour: Any = (Any, ... if demanding else None)
    changed = [replace(entry, model=create_model(entry.name, __base__=entry.model, colour=colour)) for entry in types]
    changed.append(EventType(MOON, _Landed, "cluster_id", public=False))
    module = import_module(registry.__module__)  # by name it would be the function
    monkeypatch.setattr(module, "_types", {entry.name: entry for entry in changed})
    monkeypatch.setattr(module, "_by_model", {entry.model: entry for entry in changed})
