"""Days and times that enter Kei have the types of shared/dates.py, so that no edge has limits of its own."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import date, datetime
from types import ModuleType
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Query
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

import deploy.backup
import deploy.sample_data
import services
import shared
from deploy.backup.archive import Manifest
from deploy.sample_data.model import FilePart
from services.console.request.forms import Form
from shared import dates
from shared.dates import Day, Time
from shared.events import Data
from shared.schemas import RequestModel

_EDGES = (RequestModel, Form, Data, FilePart, Manifest)
_LIMITS = {"date": dates.day_within_limits, "datetime": dates.time_within_limits}


def _modules(*packages: ModuleType) -> list[ModuleType]:
    infos = [info for package in packages for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(info.name) for info in infos if ".migrations" not in info.name]


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for child in model.__subclasses__():
        yield from _models(child)


def _unlimited(node: object, validator: object = None) -> Iterator[str]:
    """The days and times in a core schema that the validators of `shared.dates` do not follow."""
    if isinstance(node, list | tuple):
        for child in node:
            yield from _unlimited(child)
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if isinstance(kind, str) and kind in _LIMITS and validator is not _LIMITS[kind]:
        yield kind
    if kind == "function-after":
        validator = node["function"]["function"]
    elif kind != "function-before":
        validator = None
    for key, child in node.items():
        if key not in {"metadata", "serialization"}:
            yield from _unlimited(child, validator)


def _model_faults(model: type[BaseModel]) -> list[str]:
    return [f"{model.__module__}.{model.__qualname__}: {kind}" for kind in _unlimited(model.__pydantic_core_schema__)]


def _parameter_faults(dependant: Dependant) -> Iterator[str]:
    for field in (*dependant.path_params, *dependant.query_params, *dependant.header_params):
        for kind in _unlimited(field._type_adapter.core_schema):  # noqa: SLF001  FastAPI has no public way
            yield f"{field.name}: {kind}"
    for child in dependant.dependencies:
        yield from _parameter_faults(child)


def _routes(module: ModuleType) -> Iterator[APIRoute]:
    for value in vars(module).values():
        if isinstance(value, APIRouter):
            yield from (route for route in value.routes if isinstance(route, APIRoute))


def test_no_model_at_an_edge_has_a_bare_day_or_time() -> None:
    _modules(services, shared, deploy.sample_data, deploy.backup)
    known = {model for edge in _EDGES for model in _models(edge)}
    models = {model for model in known if not model.__module__.startswith("tests.")}  # other tests have models too
    assert len(models) > 80, "all edges were imported"
    assert [fault for model in models for fault in _model_faults(model)] == []


def test_no_parameter_of_a_route_is_a_bare_day_or_time() -> None:
    routes = [route for module in _modules(services) for route in _routes(module)]
    assert len(routes) > 100, "all services were imported"
    assert [f"{route.path}: {fault}" for route in routes for fault in _parameter_faults(route.dependant)] == []


def test_a_bare_day_or_time_is_found() -> None:
    class Planted(BaseModel):
        shared_days: ClassVar[str] = "are fine"
        day: Day
        time: Time | None
        days: list[date]
        times: dict[str, datetime | None]

    router = APIRouter()

    @router.get("/")
    async def show(since: Day, until: Annotated[date | Literal[""], Query()] = "") -> None: ...

    assert [fault.rpartition(" ")[2] for fault in _model_faults(Planted)] == ["date", "datetime"]
    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert list(_parameter_faults(route.dependant)) == ["until: date"]
