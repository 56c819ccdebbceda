"""The peak memory of a function call."""

import os
import re
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak(work: Callable[[], object]) -> float:
    """MiB that a call needs at its peak, measured in a fork of this process; NaN where /proc has no peak."""
    if not _RESET.exists():
        return float("nan")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _RESET.write_text("5")  # resets the peak
        before = _mib("VmRSS")
        work()
        os.write(writing, str(_mib("VmHWM") - before).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return float(text or "nan")


def _mib(name: str) -> float:
    match = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    return int(match[1]) / 1024 if match else float("nan")
