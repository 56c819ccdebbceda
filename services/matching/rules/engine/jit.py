"""Functions on arrays, compiled by numba where it is installed, in the same words as they run without it."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from services.matching.rules.engine import kernel

PARTS: Sequence[Callable[..., Any]] = (
    kernel.nearer,
    kernel.rise,
    kernel.nearest,
    kernel.to_gain,
    kernel.to_lose,
    kernel.listed,
    kernel.at,
    kernel.nearby,
    kernel.search,
    kernel.settle,
    kernel.take,
    kernel.take_all,
    kernel.give_up,
    kernel.augment,
    kernel.change,
    kernel.begin_price,
    kernel.begin_prices,
    kernel.fill,
)
"""What is compiled, each after what it calls."""


def can_compile() -> bool:
    """Whether there is a compiler."""
    return find_spec("numba") is not None


@cache
def compiled() -> dict[str, Any]:
    """The parts by their names, compiled; the first call of each takes seconds, or reads what an earlier one left."""
    import numba  # noqa: PLC0415  most of a second and 100 MB, paid only where large plans are made

    space: dict[str, Any] = dict(vars(kernel))
    for part in PARTS:
        plain = FunctionType(part.__code__, space, part.__name__)
        try:
            space[part.__name__] = numba.njit(cache=True)(plain)
        except RuntimeError:  # there is no folder for its cache, as in a container that writes nowhere
            space[part.__name__] = numba.njit(plain)
    return space
