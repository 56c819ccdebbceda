"""Reads the form of a page into a model."""

from typing import TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.web import ProblemError

MAX_BYTES = 16 * 1024
"""Of the body of a form."""
_MAX_FIELDS = 200


class Form(BaseModel):
    """Base of the forms. A field that may occur several times is a list; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


F = TypeVar("F", bound=Form)


async def read(request: Request, model: type[F]) -> F:
    """The form in the body of a request.

    Raises:
        ProblemError: 400; it is not a form of this page.
    """
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    values: dict[str, str | list[str]] = {}
    try:
        for name, value in parse_qsl((await request.body()).decode("ascii"), max_num_fields=_MAX_FIELDS):
            values[name] = [*values.get(name, []), value] if name in lists else value
        return model.model_validate(values)
    except (ValueError, ValidationError) as error:
        detail = "This form does not belong to the current version of the page. Reload the page and try again."
        raise ProblemError(400, "malformed-form", detail) from error
