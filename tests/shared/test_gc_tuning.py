"""What is loaded is not looked at by the garbage collector again. In a process of its own: it cannot be undone."""

import subprocess
import sys

_SCRIPT = """
import gc
import services.matching.main
from shared import gc_tuning

class Circle:
    def __init__(self):
        self.me = self

before = len(gc.get_objects())
gc_tuning.freeze_startup_objects()
looked_at = len(gc.get_objects())
assert looked_at * 100 < before, (looked_at, before)
Circle()
assert gc.collect() > 0, "what comes later is collected as ever"
print("fine")
"""


def test_only_what_comes_later_is_looked_at() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
