"""Functions on arrays, compiled by numba where it is installed, in the same words as they run without it."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from services.matching.rules.engine import kernel

COMPILED_FUNCTIONS: Sequence[Callable[..., Any]] = (
    kernel.is_nearer,
    kernel.sift_up,
    kernel.pop_nearest,
    kernel.gain_cost,
    kernel.loss_cost,
    kernel.arc_range,
    kernel.arc_at,
    kernel.adjacent_end,
    kernel.search,
    kernel.update_prices,
    kernel.take,
    kernel.take_many,
    kernel.release,
    kernel.augment,
    kernel.change,
    kernel.initial_price,
    kernel.initial_prices,
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
    for part in COMPILED_FUNCTIONS:
        plain = FunctionType(part.__code__, space, part.__name__)
        try:
            space[part.__name__] = numba.njit(cache=True)(plain)
        except RuntimeError:  # there is no folder for its cache, as in a container that writes nowhere
            space[part.__name__] = numba.njit(plain)
    return space
