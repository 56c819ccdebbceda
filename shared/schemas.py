"""Base classes and field types of request and response bodies: requests are strict, responses are frozen.

The constraints of a type are also in its JSON Schema, so that the OpenAPI document is complete.
"""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

# Controls, zero-width space, bidirectional marks, line separators, byte order mark. The two joiners (200C, 200D) are
# allowed: Persian and emoji need them.
_CONTROL = r"\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_SPACE = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINE = rf"[^\u0000-\u001f{_CONTROL}]"
_MANY = rf"[^\u0000-\u0008\u000b\u000c\u000e-\u001f{_CONTROL}]"
_VISIBLE = rf"[^\u0000-\u001f{_CONTROL}{_SPACE}]"
MAX_NAME = 200
MAX_TEXT = 2_000
MAX_NOTE = 500
MAX_INT4 = 2**31 - 1


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME, pattern=f"^{_LINE}*{_VISIBLE}{_LINE}*$"),
    AfterValidator(lambda text: _nfc(text.strip())),
]
"""One line, 1..200 characters, at least one of them visible; no controls or bidi marks; NFC, outer spaces removed."""

LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=f"^{_MANY}*$"), AfterValidator(_nfc)]
"""Several lines, up to 2,000 characters; tab and line breaks, but no other controls and no bidi marks; NFC."""

ShortText = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_NOTE, pattern=f"^{_MANY}*$"), AfterValidator(_nfc)
]
"""An optional remark: 1..500 characters, else as `LongText`."""

Slug = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
"""A code such as `textile` or `ecei.2-1`."""

Count = Annotated[int, Field(ge=0, le=MAX_INT4)]
"""A whole number from 0 that fits the database's `integer`."""


@dataclass(frozen=True, slots=True)
class RawJson:
    """A request body as bytes; `KeiRoute` passes it to `RequestModel`, which validates it by JSON's rules."""

    data: bytes


class RequestModel(BaseModel):
    """Base of request bodies: no coercion, unknown fields refused, no NaN or infinity.

    Strict mode on Python values would refuse `"2026-06-28"` for a date and text for a UUID; on JSON it takes them.
    So the bytes are validated as JSON, not the dicts that the framework parses.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=MAX_TEXT
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the model, extended to accept `RawJson`."""
        schema = handler(source)

        def read(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> object:
            return cls.model_validate_json(value.data) if isinstance(value, RawJson) else validate(value)

        return core_schema.json_or_python_schema(
            json_schema=schema,
            python_schema=core_schema.no_info_wrap_validator_function(read, schema),
        )


class ResponseModel(BaseModel):
    """Base of response bodies; built from rows or keyword arguments."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, from_attributes=True, extra="forbid")
