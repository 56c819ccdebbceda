"""Settings of Python's garbage collector for server and solver processes."""

import gc

_THRESHOLDS = (10_000, 20, 20)
"""Allocations before a collection of generation 0, and collections of a generation before one of the next."""


def freeze_startup_objects() -> None:
    """Exempt all present objects from collection and raise the thresholds.

    A full collection of the imported modules takes 250 ms, during which no request is served. With Python's default
    thresholds there is more than one per second at 100 requests per second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
