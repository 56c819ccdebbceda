"""The error responses of a route, derived from its declaration, so that the document cannot drift from the code."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi

from shared.auth import Policy
from shared.web.problems import MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"
_RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
_CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string"}}}


def declared(
    dependant: Dependant, *, body: bool, policies: Sequence[Policy], writes: bool
) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route, by status code."""
    headers = {name for part in flat(dependant) for field in part.header_params for name in (field.alias,)}
    takes = any(part.path_params or part.query_params or part.header_params for part in flat(dependant))
    statuses = {400, 414, 422, 431, 500, 503}
    if not all(policy.open_to_all for policy in policies):
        statuses |= {401, 403}
    if any(part.path_params for part in flat(dependant)) or writes:
        statuses.add(404)
    if body:
        statuses |= {408, 413, 415}
    if writes:
        statuses.add(409)
    if "If-Match" in headers:
        statuses |= {412, 428}
    if not takes and not body:
        statuses.discard(422)
    return {status: _response(status) for status in sorted(statuses)}


def flat(dependant: Dependant) -> list[Dependant]:
    """A dependency and all its transitive dependencies."""
    return [dependant, *(part for child in dependant.dependencies for part in flat(child))]


def _response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"] = _RETRY
    if status == HTTPStatus.UNAUTHORIZED:
        response["headers"] = _CHALLENGE
    return response


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`, including the schema of problem documents."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        own = Problem.model_json_schema(ref_template=_REF, mode="serialization")
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(own.pop("$defs"))
        schemas["Problem"] = own
        app.openapi_schema = schema
    return app.openapi_schema
