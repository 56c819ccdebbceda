"""Compiles the kernel with numba, if it is installed; the same source runs without it."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from services.matching.rules.engine import kernel

COMPILE_FROM_ARCS = 20_000
"""Number of arcs from which on compiling pays; below it, plain Python takes less than a second."""

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
    kernel.set_initial_price,
    kernel.set_initial_prices,
    kernel.fill,
)
"""The functions that are compiled, each after those that it calls."""


def can_compile() -> bool:
    """Whether numba is installed."""
    return find_spec("numba") is not None


@cache
def compiled() -> dict[str, Any]:
    """The compiled functions by name; the first call of each takes seconds, or reads the disk cache."""
    import numba  # noqa: PLC0415  most of a second and 100 MB, needed for large plans only

    namespace: dict[str, Any] = dict(vars(kernel))
    for function in COMPILED_FUNCTIONS:
        plain = FunctionType(function.__code__, namespace, function.__name__)
        try:
            namespace[function.__name__] = numba.njit(cache=True)(plain)
        except RuntimeError:  # numba has no writable cache folder, as in a read-only container
            namespace[function.__name__] = numba.njit(plain)
    return namespace


def kernel_function(name: str, arcs: int) -> Callable[..., Any]:
    """A function of the kernel in the form that is faster for a number of arcs; both have the same results."""
    use_compiled = compiled.cache_info().currsize > 0 or (arcs >= COMPILE_FROM_ARCS and can_compile())
    function: Callable[..., Any] = compiled()[name] if use_compiled else getattr(kernel, name)
    return function
