"""Strict query parameters: a misspelt filter is refused, not silently ignored."""

from collections.abc import Iterator
from typing import get_args, get_origin

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from shared.web.problems import ProblemError

_COLLECTIONS = (list, set, frozenset, tuple)


def known_names(dependant: Dependant) -> dict[str, bool]:
    """The query parameters of a route; True if a parameter may be repeated."""
    return dict(_names(dependant))


def refuse_unknown(query: QueryParams, repeatable: dict[str, bool]) -> None:
    """Refuse unknown parameters, and repeated ones that take one value.

    Raises:
        ProblemError: 422, with all such names.
    """
    names: set[str] = set()
    errors = []
    for name, _ in query.multi_items():
        if name not in repeatable:
            errors.append((name[:50], "There is no such parameter."))
        elif name in names and not repeatable[name]:
            errors.append((name, "Occurs twice."))
        names.add(name)
    if errors:
        raise ProblemError(422, "invalid-request", "Some values do not fit.", errors=errors[:50])


def _names(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, inner in annotation.model_fields.items():
                yield inner.alias or name, _is_collection(inner.annotation)
        else:
            yield field.alias, _is_collection(annotation)
    for child in dependant.dependencies:
        yield from _names(child)


def _is_collection(annotation: object) -> bool:
    origin = get_origin(annotation) or annotation
    return origin in _COLLECTIONS or any(
        _is_collection(part) for part in get_args(annotation) if origin not in _COLLECTIONS
    )
