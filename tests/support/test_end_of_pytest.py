"""A process of pytest ends although a plan is still being made, as after a test that failed meanwhile."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_UNFINISHED = """
import multiprocessing, signal
from concurrent.futures import ProcessPoolExecutor
from tests import conftest
ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")).submit(signal.pause)
conftest.pytest_sessionfinish()
"""


def test_it_ends_while_a_plan_is_being_made() -> None:
    subprocess.run([sys.executable, "-c", _UNFINISHED], cwd=_ROOT, check=True, timeout=25)
