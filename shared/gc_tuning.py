"""Python's garbage collector, in a process that answers requests or makes plans."""

import gc

_THRESHOLDS = (10_000, 20, 20)
"""New containers until the youngest are looked at, how often these until those a step older, and so on."""


def freeze_startup_objects() -> None:
    """Keep what there is now for as long as the process runs, and look seldom at what comes.

    A full collection of all that is imported takes a quarter of a second, in which nobody is answered, and at a
    hundred requests a second there is more than one of them each second by Python's own thresholds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
