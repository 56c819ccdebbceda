"""The generated documents are what the code says, and AsyncAPI's own schema accepts ours."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from deploy.databases import SERVICES
from deploy.generate_docs import FOLDERS, ROOT, SAMPLES, generated, write
from shared.events import registry, topics

Json = dict[str, Any]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def documents() -> dict[Path, str]:
    return generated()


@pytest.fixture(scope="module")
def asyncapi(documents: dict[Path, str]) -> Json:
    made: Json = yaml.safe_load(documents[Path("docs/asyncapi.yaml")])
    return made


def outdated(root: Path, documents: dict[Path, str]) -> list[str]:
    """The documents under `root` that differ, lack or are too many."""
    there = {path.relative_to(root) for folder in FOLDERS for path in (root / folder).glob("*")}
    differing = {path for path, text in documents.items() if not _holds(root / path, text)}
    return sorted(str(path) for path in differing | (there - documents.keys()))


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def test_the_documents_are_what_the_code_says(documents: dict[Path, str]) -> None:
    changed = outdated(ROOT, documents)
    assert changed == [], f"Run `make docs` and look at what changed in {', '.join(changed)}."


def test_documents_are_written_and_repaired_and_then_left_alone(tmp_path: Path) -> None:
    (tmp_path / SAMPLES).parent.mkdir(parents=True)
    (tmp_path / SAMPLES).symlink_to(ROOT / SAMPLES)
    (tmp_path / "README.md").write_text("# Kei\n<!-- events -->\n<!-- /events -->\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/operations.md").write_text("# Operations\n<!-- settings -->\n<!-- /settings -->\n")
    documents = generated(tmp_path)
    assert set(write(tmp_path)) == documents.keys()
    assert outdated(tmp_path, documents) == []
    stale, edited = FOLDERS[0] / "kei.members.moon.landed.v1.json", Path("docs/events.md")
    (tmp_path / stale).write_text("{}")
    (tmp_path / edited).write_text("by hand")
    assert outdated(tmp_path, documents) == [str(edited), str(stale)]
    assert set(write(tmp_path)) == {stale, edited}
    assert write(tmp_path) == []


# --- AsyncAPI


def faults(document: Json) -> list[str]:
    """What the specification's own schema, and then its rule about references, has against a document."""
    specification = json.loads((HERE / "asyncapi-3.0.0.schema.json").read_bytes())
    faults = [
        f"{error.json_path}: {error.message[:200]}" for error in Draft7Validator(specification).iter_errors(document)
    ]
    return faults + [
        f"{reference} leads nowhere" for reference in _references(document) if not _leads(document, reference)
    ]


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        yield from (reference for value in node.values() for reference in _references(value))
    elif isinstance(node, list):
        yield from (reference for value in node for reference in _references(value))


def _leads(document: Json, reference: str) -> bool:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def test_the_document_is_valid_asyncapi(asyncapi: Json) -> None:
    assert faults(asyncapi) == []


BROKEN: dict[str, Callable[[Json], object]] = {
    "no version": lambda document: document["info"].pop("version"),
    "another specification": lambda document: document.update(asyncapi="2.6.0"),
    "unknown field": lambda document: document.update(topics={}),
    "action": lambda document: document["operations"]["members.send"].update(action="publish"),
    "operation without a channel": lambda document: document["operations"]["members.send"].pop("channel"),
    "address is a number": lambda document: document["channels"]["kei.members.v1"].update(address=7),
    "server without a protocol": lambda document: document["servers"]["kafka"].pop("protocol"),
    "Kafka binding": lambda document: document["channels"]["kei.members.v1"]["bindings"]["kafka"].update(partitions=0),
    "headers are a number": lambda document: next(iter(document["components"]["messages"].values())).update(headers=7),
    "type of a field": lambda document: next(iter(document["components"]["schemas"].values())).update(type="thing"),
    "example without content": lambda document: next(iter(document["components"]["messages"].values())).update(
        examples=[{"x": 1}]
    ),
    "dangling reference": lambda document: document["components"]["schemas"].pop("ReasonTerm"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_document_is_found(asyncapi: Json, what: str) -> None:
    broken = copy.deepcopy(asyncapi)
    BROKEN[what](broken)
    assert faults(broken) != []


def test_the_document_has_all_topics_types_and_their_services(asyncapi: Json) -> None:
    assert set(topics()) < asyncapi["channels"].keys()
    for entry in registry().values():
        assert entry.name in asyncapi["channels"][entry.topic]["messages"]
        assert (entry.name in asyncapi["channels"]["kei.public.v1"]["messages"]) is entry.public
        message = {"$ref": f"#/channels/{entry.topic}/messages/{entry.name}"}
        sends = [
            name
            for name, operation in asyncapi["operations"].items()
            if message in operation["messages"] and operation["action"] == "send"
        ]
        assert sends == [f"{entry.service}.send"]
    reads = asyncapi["operations"]["trainings.receive.members"]
    assert reads["bindings"]["kafka"]["groupId"]["enum"] == ["trainings"]
    names = [message["$ref"].rpartition("/")[2].split(".")[3] for message in reads["messages"]]
    assert names == ["archived", "changed", "registered"]


@pytest.mark.parametrize("name", sorted(registry()))
def test_the_example_fits_its_headers_and_payload(asyncapi: Json, name: str) -> None:
    message = asyncapi["components"]["messages"][name]
    example = message["examples"][0]
    for part in ("headers", "payload"):
        Draft7Validator({**message[part], "components": asyncapi["components"]}).validate(example[part])
    payload = message["payload"] | {"components": asyncapi["components"]}
    assert not Draft7Validator(payload).is_valid({})


# --- the others


@pytest.mark.parametrize("service", SERVICES)
def test_the_openapi_document_names_no_machine_and_describes_every_operation(
    documents: dict[Path, str], service: str
) -> None:
    document = json.loads(documents[Path(f"docs/openapi/{service}.json")])
    assert document["openapi"].startswith("3.1")
    assert "servers" not in document
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert [operation["operationId"] for operation in operations if not operation.get("description")] == []
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_page_tells_every_type_and_every_field(documents: dict[Path, str]) -> None:
    page = documents[Path("docs/events.md")]
    for entry in registry().values():
        section = page.partition(f"\n## {entry.name}\n")[2].partition("\n## ")[0]
        assert f"](#{entry.name.replace('.', '')})" in page
        assert all(f"| `{field}` |" in section for field in entry.model.model_fields)
        assert '"specversion": "1.0"' in section
        assert "|  |" not in section, "a field has no description"
