"""The table of settings in `docs/operations.md`, generated from the settings classes."""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.console.settings import ConsoleSettings
from shared.settings import Settings

_HEAD = "| setting | meaning | default | read by |\n|---|---|---|---|\n"


def table() -> str:
    """A row for each setting; a setting of both services and console has one row."""
    services, console = dict(Settings.model_fields), dict(ConsoleSettings.model_fields)
    return _HEAD + "".join(_row(name, services, console) for name in {**services, **console})


def _row(name: str, services: Mapping[str, FieldInfo], console: Mapping[str, FieldInfo]) -> str:
    readers = [reader for reader, fields in (("services", services), ("console", console)) if name in fields]
    field = services.get(name) or console[name]
    meaning = "; ".join([field.description or "", *_allowed(field)])
    return f"| `KEI_{name.upper()}` | {meaning} | {_default(name, services, console)} | {', '.join(readers)} |\n"


def _default(name: str, services: Mapping[str, FieldInfo], console: Mapping[str, FieldInfo]) -> str:
    defaults = dict.fromkeys(_default_of(fields[name]) for fields in (services, console) if name in fields)
    return ", ".join(defaults) if len(defaults) == 1 else " (services), ".join(defaults) + " (console)"


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default in {None, ""} else f"`{field.default}`"


def _allowed(field: FieldInfo) -> Iterator[str]:
    if SecretStr in {field.annotation, *get_args(field.annotation)}:
        yield "secret"
    if get_origin(field.annotation) is Literal:
        yield f"one of {', '.join(f'`{value}`' for value in get_args(field.annotation))}"
    for bound in field.metadata:
        if isinstance(bound, Ge):
            yield f"at least {bound.ge}"
        if isinstance(bound, Le):
            yield f"at most {bound.le}"
