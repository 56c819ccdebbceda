"""Waiting for something to become true, with a deadline. The only file of the tests that may sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_EVERY = 0.02


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], deadline: float = 10.0) -> T: ...
@overload
async def eventually(predicate: Callable[[], T], deadline: float = 10.0) -> T: ...
async def eventually(predicate: Callable[[], Any], deadline: float = 10.0) -> Any:
    """Return the first true value of `predicate`, asked every 20 ms.

    Args:
        predicate: a plain or an async function. What it raises is raised at once, it does not count as "not yet".
        deadline: seconds until it must have been true.

    Raises:
        AssertionError: it never was; the message gives its last value.
    """
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() >= end:
            message = f"not true within {deadline:g} s; last value: {value!r}"
            raise AssertionError(message)
        await asyncio.sleep(_EVERY)


async def passing(seconds: float) -> None:
    """Let time pass: for loads and faults, whose moment is chance and not when something is true."""
    await asyncio.sleep(seconds)


def block(seconds: float) -> None:
    """Block the thread, and whatever event loop runs in it: for a fault that is just this."""
    time.sleep(seconds)


def wait_until(predicate: Callable[[], bool], deadline: float, what: str) -> None:
    """Block until `predicate` is true; for servers that start before any event loop.

    Raises:
        TimeoutError: it was not within `deadline` seconds; the message is `what`.
    """
    end = time.monotonic() + deadline
    while not predicate():
        if time.monotonic() >= end:
            message = f"{what} (waited {deadline:g} s)"
            raise TimeoutError(message)
        time.sleep(_EVERY)
