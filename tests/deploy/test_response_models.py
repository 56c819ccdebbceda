"""The models with which the console and `kei status` read responses: generated, and good for the releases around it."""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from deploy.databases import SERVICES
from deploy.response_models import TABLE, BadTableError, Table, generated

ROOT = Path(__file__).parents[2]
TABLES: list[Table] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["module"]
OPENAPI = {name: json.loads((ROOT / f"docs/openapi/{name}.json").read_bytes()) for name in SERVICES}
MODELS = [(table, name) for table in TABLES for name in table["models"]]
IDS = [f"{table['path']} {name}" for table, name in MODELS]
CONSOLE = [table for table in TABLES if table["path"].startswith("services/console")]


FORMATS = {
    "uuid": "00000000-0000-0000-0000-000000000001",
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
}
TYPES: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "object": {}}


def model_of(table: Table, name: str) -> type[BaseModel]:
    module = importlib.import_module(table["path"].removesuffix(".py").replace("/", "."))
    model: type[BaseModel] = getattr(module, name)
    return model


class Sample:
    """Values as the OpenAPI document of a service describes them; `newer` ones as a later release may send them."""

    def __init__(self, service: str, *, newer: bool = False) -> None:
        self._schemas, self._newer = OPENAPI[service]["components"]["schemas"], newer

    def of(self, schema: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
        match schema:
            case {"$ref": reference}:
                value = self.of(self._schemas[reference.rpartition("/")[2]])
            case {"anyOf": [first, *_]}:
                value = self.of(first)
            case {"enum": [first, *_]}:
                value = "of-a-later-release" if self._newer else first
            case {"prefixItems": items}:
                value = [self.of(item) for item in items]
            case {"items": item}:
                value = [self.of(item)]
            case {"properties": properties}:
                more = {"of_a_later_release": {"a": 1}} if self._newer else {}
                value = {name: self.of(item) for name, item in properties.items()} | more
            case _:
                value = FORMATS.get(schema.get("format", "")) or TYPES.get(schema.get("type", ""), "text")
        return value


@pytest.mark.parametrize(("table", "name"), MODELS, ids=IDS)
@pytest.mark.parametrize("newer", [False, True])
def test_a_response_of_this_and_of_a_later_release_is_read(table: Table, name: str, newer: bool) -> None:  # noqa: FBT001
    schema = {"$ref": table["models"][name]["schema"]}
    body = Sample(table["service"], newer=newer).of(schema)
    model_of(table, name).model_validate_json(json.dumps(body))


@pytest.mark.parametrize(("table", "name"), MODELS, ids=IDS)
def test_a_response_without_what_the_table_calls_newer_is_read(table: Table, name: str) -> None:
    entry = table["models"][name]
    body = Sample(table["service"]).of({"$ref": entry["schema"]})
    for field in [*entry.get("older", {}), *entry.get("optional", "").split()]:
        del body[field]
    model_of(table, name).model_validate_json(json.dumps(body))


@pytest.mark.parametrize(("table", "name"), MODELS, ids=IDS)
def test_a_response_without_any_other_field_is_an_error(table: Table, name: str) -> None:
    model = model_of(table, name)
    body = Sample(table["service"]).of({"$ref": table["models"][name]["schema"]})
    for field, info in model.model_fields.items():
        if info.is_required():
            with pytest.raises(ValidationError):
                model.model_validate({key: value for key, value in body.items() if key != field})


@pytest.mark.parametrize("table", CONSOLE, ids=[table["path"] for table in CONSOLE])
def test_every_field_is_used(table: Table) -> None:
    folder = ROOT / "services/console"
    sources = {*folder.rglob("*.py"), *folder.rglob("*.html")} - {ROOT / other["path"] for other in TABLES}
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    fields = {field for model in table["models"].values() for field in model["fields"].split()}
    assert [field for field in sorted(fields) if not re.search(rf"\.{field}\b|_{field}\b|\"{field}\"", text)] == []


DOCUMENT = {
    "components": {
        "schemas": {
            "Colour": {"type": "string", "enum": ["red"]},
            "Wheel": {"properties": {"size": {"type": "number"}}, "required": ["size"], "description": "A wheel."},
            "Car": {
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "colour": {"$ref": "#/components/schemas/Colour"},
                    "wheels": {"type": "array", "items": {"$ref": "#/components/schemas/Wheel"}},
                    "sold_on": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                    "extra": {"$ref": "#/components/schemas/Extra"},
                    "doors": {"type": "integer"},
                },
                "required": ["id", "colour", "wheels", "sold_on", "extra"],
            },
            "Extra": {"properties": {}},
        }
    }
}
EXPECTED = '''"""Responses of cars. Generated by `make docs`; edit deploy/response_models.toml instead."""

from datetime import date
from typing import Any
from uuid import UUID

from shared.api_client import ApiModel


class Wheel(ApiModel):
    """A wheel."""

    size: float


class Vehicle(ApiModel):
    """`Car` of cars."""

    id: UUID
    colour: str
    wheels: list[Wheel]
    sold_on: date | None = None
    extra: dict[str, Any]
    doors: int = 4
'''


def _generated(**models: Table) -> str:
    return generated({"cars": DOCUMENT}, [{"path": "cars.py", "service": "cars", "models": models}])[Path("cars.py")]


def test_a_model_has_the_fields_that_are_read_after_the_models_it_refers_to() -> None:
    car = {"schema": "Car", "fields": "id colour wheels sold_on extra doors", "older": {"doors": 4}}
    assert _generated(Vehicle=car, Wheel={"schema": "Wheel", "fields": "size"}) == EXPECTED


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"schema": "Boat", "fields": "id"}, "has no schema Boat"),
        ({"schema": "Car", "fields": "id keel"}, "Car of cars has no field keel"),
        ({"schema": "Car", "fields": "doors"}, "Car.doors of cars may be missing and needs a default"),
    ],
)
def test_what_the_documents_do_not_have_is_refused(model: Table, message: str) -> None:
    with pytest.raises(BadTableError, match=message):
        _generated(Vehicle=model)
