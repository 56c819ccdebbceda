"""What some work needs in memory at most, beside what is there already."""

import os
import re
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak(work: Callable[[], object]) -> float:
    """MiB above what there was, in a copy of this process; not a number where the system does not tell."""
    if not _RESET.exists():
        return float("nan")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _RESET.write_text("5")  # the peak begins anew
        before = _mib("VmRSS")
        work()
        os.write(writing, str(_mib("VmHWM") - before).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        said = told.read()
    os.waitpid(child, 0)
    return float(said or "nan")


def _mib(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) / 1024 if found else float("nan")
