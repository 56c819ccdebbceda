"""What a form of a page brings: its fields as a model. Who may send it is for its page to say."""

from typing import TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.web import ProblemError

MAX_BYTES = 16 * 1024
"""Bytes of a form."""
_MAX_FIELDS = 200


class Form(BaseModel):
    """Base of the forms. A field that may come more than once is a list; one that nobody knows is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


F = TypeVar("F", bound=Form)


async def read(request: Request, kind: type[F]) -> F:
    """The form that came with a request.

    Raises:
        Refusal: 400; it is none of this page.
    """
    many = {name for name, field in kind.model_fields.items() if get_origin(field.annotation) is list}
    values: dict[str, str | list[str]] = {}
    try:
        for name, value in parse_qsl((await request.body()).decode("ascii"), max_num_fields=_MAX_FIELDS):
            values[name] = [*values.get(name, []), value] if name in many else value
        return kind.model_validate(values)
    except (ValueError, ValidationError) as error:
        detail = "The form is not one of this page as it is now. Load the page again, and try once more."
        raise ProblemError(400, "malformed-form", detail) from error
