"""Assessment frameworks, and the checks that a framework and an indicator exist."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy.dialects.postgresql import insert

from services.members.tables import Framework
from shared.db import WriteSession
from shared.errors import Conflict, Invalid
from shared.schemas import Name, RequestModel, Slug

LevelValue = Annotated[int, Field(ge=0, le=100)]
"""A level of any framework; the framework's own `scale_max` is checked where the framework is known."""


class Indicator(RequestModel):
    """One competence that a framework measures."""

    code: Slug
    title: Name
    area: Name | None = None


class NewFramework(RequestModel):
    """A framework to be added; its scores go from 0 to `scale_max`."""

    code: Slug
    title: Name
    scale_max: Annotated[int, Field(ge=1, le=100)]
    indicators: Annotated[list[Indicator], Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class IndicatorRef:
    """An indicator of a framework, by their codes."""

    framework: str
    indicator: str


async def add(tx: WriteSession, new: NewFramework) -> Framework:
    """Add a framework. To add an equal one again has no effect.

    Raises:
        Conflict: there is another with this code.
    """
    values = new.model_dump()
    await tx.execute(insert(Framework).values(**values).on_conflict_do_nothing())
    framework = await tx.get_one(Framework, new.code)
    if (framework.title, framework.scale_max, framework.indicators) != (new.title, new.scale_max, values["indicators"]):
        raise Conflict("framework-exists", f"There is another framework {new.code!r} already.", field="code")
    return framework


async def get_framework(tx: WriteSession, code: str) -> Framework:
    """The framework with this code.

    Raises:
        Invalid: there is none.
    """
    framework = await tx.get(Framework, code)
    if framework is None:
        raise Invalid("unknown-framework", f"There is no framework {code!r}.", field="framework")
    return framework


async def require_indicator(tx: WriteSession, ref: IndicatorRef) -> Framework:
    """The framework of an indicator.

    Raises:
        Invalid: there is no such framework, or it has no such indicator.
    """
    framework = await get_framework(tx, ref.framework)
    if ref.indicator not in framework.indicator_codes():
        message = f"{ref.framework} has no indicator {ref.indicator!r}."
        raise Invalid("unknown-indicator", message, field="indicator")
    return framework
