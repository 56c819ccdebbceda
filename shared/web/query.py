"""Query parameters are as strict as bodies: a misspelt filter is refused, not silently ignored."""

from collections.abc import Iterator
from typing import get_args, get_origin

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from shared.web.problems import ProblemError

_MANY = (list, set, frozenset, tuple)


def known_names(dependant: Dependant) -> dict[str, bool]:
    """The names a route takes, each with whether it may come more than once."""
    return dict(_names(dependant))


def refuse_unknown(query: QueryParams, known: dict[str, bool]) -> None:
    """Refuse names nobody asked for, and a second value where there is room for one.

    Raises:
        Refusal: 422, with every such name.
    """
    seen: set[str] = set()
    errors = []
    for name, _ in query.multi_items():
        if name not in known:
            errors.append((name[:50], "There is no such parameter."))
        elif name in seen and not known[name]:
            errors.append((name, "Came twice."))
        seen.add(name)
    if errors:
        raise ProblemError(422, "invalid-request", "Some values do not fit.", errors=errors[:50])


def _names(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, inner in annotation.model_fields.items():
                yield inner.alias or name, _many(inner.annotation)
        else:
            yield field.alias, _many(annotation)
    for child in dependant.dependencies:
        yield from _names(child)


def _many(annotation: object) -> bool:
    origin = get_origin(annotation) or annotation
    return origin in _MANY or any(_many(part) for part in get_args(annotation) if origin not in _MANY)
