"""Base classes and field types of request and response bodies: requests are strict, responses are frozen.

The constraints of a type are also in its JSON Schema, so that the OpenAPI document is complete.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    TypeAdapter,
)
from pydantic_core import CoreSchema, core_schema

# Controls, zero-width space, bidirectional marks, line separators, byte order mark; private use, noncharacters and
# tags, which no reader sees alike. The two joiners (200C, 200D) are allowed: Persian and emoji need them.
_CONTROL = r"\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_NO_TEXT = "".join(
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        *((0xE000, 0xF8FF), (0xFDD0, 0xFDEF), (0xFFF0, 0xFFF8), (0xFFFE, 0xFFFF)),
        *((0xE0000, 0xE0FFF), (0xF0000, 0x10FFFF)),
    )
)
_SPACE = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINE = rf"[^\u0000-\u001f{_CONTROL}{_NO_TEXT}]"
_MANY = rf"[^\u0000-\u0008\u000b\u000c\u000e-\u001f{_CONTROL}{_NO_TEXT}]"
_BLANK = r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u200d\u2800\u3164\ufe00-\ufe0f\uffa0"
_VISIBLE = rf"[^\u0000-\u001f{_CONTROL}{_NO_TEXT}{_SPACE}{_BLANK}]"
_SPACES = "".join(re.findall(f"[{_SPACE}]", "".join(map(chr, range(0x3001)))))
_INVISIBLE = re.compile(f"[{_SPACE}{_BLANK}\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII)
_URL = TypeAdapter(AnyHttpUrl)
MAX_NAME = 200
MAX_TEXT = 2_000
MAX_NOTE = 500
MAX_URL = 500
MAX_INT4 = 2**31 - 1


def _composed(value: object) -> object:
    """Text in its one spelling, before its characters are counted: NFC, and LF for each line break."""
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n")


def _stripped(value: object) -> object:
    composed = _composed(value)
    return composed.strip(_SPACES) if isinstance(composed, str) else composed


def _visible(name: str) -> str:
    if not any(unicodedata.category(char)[0] in "LNSP" for char in _INVISIBLE.sub("", name)):
        raise ValueError("a name has a letter, a digit or a sign that can be seen")
    if any(ord(char) & 0xFFFE == 0xFFFE for char in name):  # noqa: PLR2004  the last two of each plane
        raise ValueError("a name has no characters that are none")
    return name


def _web_address(text: str) -> str:
    url = _URL.validate_python(text)
    if url.username or url.password or not _HOST.fullmatch(url.host or ""):
        raise ValueError("a web address has the name of a host, as in https://example.org")
    address = str(url) if text.endswith("/") else str(url).removesuffix("/")
    if len(address) > MAX_URL:
        raise ValueError(f"a web address has at most {MAX_URL} characters")
    return address


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME, pattern=f"^{_LINE}*{_VISIBLE}{_LINE}*$"),
    BeforeValidator(_stripped),
    AfterValidator(_visible),
]
"""One line, 1..200 characters in NFC, at least one letter, digit or sign that can be seen; outer spaces are removed.

No controls, marks of direction, tags, private use or noncharacters.
"""

LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=f"^{_MANY}*$"), BeforeValidator(_composed)]
"""Several lines, up to 2,000 characters in NFC; a line break is one LF. Else no controls, as in a `Name`."""

ShortText = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_NOTE, pattern=f"^{_MANY}*$"), BeforeValidator(_composed)
]
"""An optional remark: 1..500 characters, else as `LongText`."""

WebAddress = Annotated[
    str,
    StringConstraints(max_length=MAX_URL, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\\/][^\s\\]*$"),
    AfterValidator(_web_address),
]
"""An address for browsers, normalised: the host in small ASCII letters (IDNA), without a user name."""

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
