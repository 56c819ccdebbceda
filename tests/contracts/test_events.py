"""The published language: every type has a schema and a golden sample, and what was once published stays readable."""

import copy
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from deploy.generate_docs import ROOT, SAMPLES, generated
from shared.events import Poison, parse, registry, structured
from shared.events.envelope import Event, mirrored, parse_structured
from shared.events.registry import Data
from shared.events.schemas import schema
from tests.contracts.compatible import breaks

Json = dict[str, Any]
FOLDER = ROOT / SAMPLES
TYPES = sorted(registry())


def read(name: str) -> Json:
    sample: Json = json.loads((FOLDER / f"{name}.json").read_bytes())
    return sample


def parsed(sample: Json) -> Event[Data]:
    return parse_structured(json.dumps(sample).encode())


def missing(root: Path) -> list[str]:
    """What types lack under `root`, and files that belong to no type."""
    stems = {folder: {path.stem for path in (root / folder).glob("*.json")} for folder in ("docs/schemas", SAMPLES)}
    return [f"{folder}/{name}.json" for folder, names in stems.items() for name in sorted(names ^ set(TYPES))]


def test_every_type_has_a_schema_and_a_sample() -> None:
    assert missing(ROOT) == []


def test_a_type_without_schema_or_sample_is_found(tmp_path: Path) -> None:
    for folder in ("docs/schemas", SAMPLES):
        (tmp_path / folder).mkdir(parents=True)
        for name in TYPES[1:]:
            (tmp_path / folder / f"{name}.json").write_text("{}")
    assert missing(tmp_path) == [f"docs/schemas/{TYPES[0]}.json", f"{SAMPLES}/{TYPES[0]}.json"]
    with pytest.raises(FileNotFoundError, match=TYPES[0]):
        generated(tmp_path)


# --- samples


def edited(folder: Path) -> list[str]:
    """The samples that are not what MANIFEST says, and those it does not name."""
    lines = (folder / "MANIFEST").read_text().splitlines()
    promised = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")}
    return sorted(name for name in promised.keys() | there.keys() if promised.get(name) != there.get(name))


def test_no_sample_was_ever_edited() -> None:
    how = "Samples never change: they stand for what partners stored. A new one's sum: sha256sum FILE >> MANIFEST"
    assert edited(FOLDER) == [], how


@pytest.mark.parametrize("harm", ["edit", "remove", "add"])
def test_a_touched_sample_is_found(tmp_path: Path, harm: str) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    target = tmp_path / f"{TYPES[0]}.json"
    if harm == "edit":
        target.write_bytes(target.read_bytes().replace(b'"1.0"', b'"1.1"'))
    elif harm == "remove":
        target.unlink()
    else:
        target = tmp_path / "kei.members.moon.landed.v1.json"
        target.write_bytes(b"{}")
    assert edited(tmp_path) == [target.name]


@pytest.mark.parametrize("name", TYPES)
def test_the_sample_is_read_in_both_modes(name: str) -> None:
    sample = read(name)
    event = parsed(sample)
    assert (event.type, str(event.id), str(event.key)) == (name, sample["id"], sample["partitionkey"])
    assert json.loads(event.raw) == sample["data"]
    again = parse(mirrored(event).record(), registry()[name].topic)
    assert again == event
    assert json.loads(structured(mirrored(event))) == sample


@pytest.mark.parametrize("name", TYPES)
def test_the_sample_has_only_fields_of_the_schema(name: str) -> None:
    """Together with the manifest this keeps fields: one that was dropped would still be in the sample."""
    whole = schema(registry()[name])
    Draft202012Validator.check_schema(whole)
    Draft202012Validator(closed(whole), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(read(name)["data"])


def closed(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema without its tolerance for unknown fields."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    return made | {"additionalProperties": False} if "properties" in node and "type" in node else made


@pytest.mark.parametrize("name", TYPES)
def test_what_a_reader_does_not_know_is_ignored(name: str) -> None:
    sample = read(name)
    event = parsed(sample)
    more = sample | {"colour": "green", "data": _with_more(sample["data"])}
    assert parsed(more).data == event.data
    stranger = mirrored(event).record()._replace(value=json.dumps(more["data"]).encode())
    with_headers = stranger._replace(headers=(*stranger.headers, ("ce_colour", b"green"), ("x", b"\xff")))
    assert parse(with_headers, registry()[name].topic).data == event.data


def _with_more(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same data with a field more in each object, but for `scores`, whose fields are indicators."""
    if isinstance(node, list):
        return [_with_more(item) for item in node]
    if isinstance(node, dict):
        more = {key: value if key == "scores" else _with_more(value) for key, value in node.items()}
        return more | {"colour": {"of": ["the", "moon"]}}
    return node


def required() -> Iterator[tuple[str, str]]:
    for name in TYPES:
        yield from ((name, field) for field in schema(registry()[name])["required"])


@pytest.mark.parametrize(("name", "field"), list(required()))
def test_a_required_field_may_not_be_missing(name: str, field: str) -> None:
    sample = read(name)
    del sample["data"][field]
    with pytest.raises(Poison, match=f"does not fit {name}: {field}"):
        parsed(sample)
    assert not Draft202012Validator(schema(registry()[name])).is_valid(sample["data"])


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_described(name: str) -> None:
    whole = schema(registry()[name])
    nodes = [whole, *whole.get("$defs", {}).values()]
    bare = [
        field for node in nodes for field, described in node["properties"].items() if not described.get("description")
    ]
    assert bare == []


# --- compatibility


def committed(name: str) -> Json | None:
    """The type's schema in the last commit; None if it is new."""
    show = ["git", "-C", str(ROOT), "show", f"HEAD:docs/schemas/{name}.json"]
    shown = subprocess.run(show, capture_output=True, text=True, check=False)
    return json.loads(shown.stdout) if shown.returncode == 0 else None


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_only_grew_since_the_last_commit(name: str) -> None:
    before = committed(name)
    assert before is None or breaks(before, schema(registry()[name])) == []


def _grow(schema: Json) -> None:
    schema["properties"]["colour"] = {"type": "string"}
    schema["$defs"]["ReasonTerm"]["properties"]["colour"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema["properties"]["score_hundredths"]["description"] = "said better"


def test_growth_and_better_words_are_compatible() -> None:
    old = schema(registry()["kei.matching.pair.proposed.v1"])
    new = copy.deepcopy(old)
    _grow(new)
    assert breaks(old, new) == []


BREAKING: dict[str, tuple[Callable[[Json], object], str]] = {
    "removed": (lambda schema: schema["properties"].pop("run_id"), "data.run_id: is gone"),
    "renamed": (
        lambda schema: schema["properties"].update(runs=schema["properties"].pop("run_id")),
        "data.run_id: is gone",
    ),
    "required": (lambda schema: schema["required"].append("run_id"), "data.run_id: is required now"),
    "new and required": (
        lambda schema: (schema["properties"].update(x={"type": "string"}), schema["required"].append("x")),
        "data.x: is required now",
    ),
    "promise dropped": (lambda schema: schema["required"].remove("terms"), "data.terms: may be missing now"),
    "other type": (
        lambda schema: schema["properties"]["score_hundredths"].update(type="string"),
        "score_hundredths/type",
    ),
    "other format": (lambda schema: schema["properties"]["pair_id"].pop("format"), "pair_id/format"),
    "closed list": (lambda schema: schema["properties"]["run_id"].update(enum=["a"]), "run_id/enum"),
    "null no more": (lambda schema: schema["properties"]["run_id"]["anyOf"].pop(), "run_id/anyOf"),
    "inside a list": (lambda schema: schema["$defs"]["ReasonTerm"]["properties"].pop("reason"), "reason: is gone"),
    "other items": (lambda schema: schema["properties"]["terms"].update(items={"type": "string"}), "terms/items"),
    "closed": (lambda schema: schema.update(additionalProperties=False), "data/additionalProperties"),
}


@pytest.mark.parametrize("what", BREAKING)
def test_a_breaking_change_is_found(what: str) -> None:
    old = schema(registry()["kei.matching.pair.proposed.v1"])
    new = copy.deepcopy(old)
    change, place = BREAKING[what]
    change(new)
    breaking = breaks(old, new)
    assert any(place in change for change in breaking), breaking
