"""The solver's kernel, compiled before the first test that plans: that takes longer than the timeout of a test."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.run import Facts, Run

_ROOT = Path(__file__).parents[2]
_PLANNING = {"matching", "console", "faults", "flows", "contracts", "browser"}
"""Folders whose tests make plans."""
_COMPILE_TIMEOUT = 300.0


def compile_kernel(run: Run, paths: Iterable[Path]) -> None:
    """Compile the kernel if one of the paths, relative to the root of the project, belongs to a test that plans.

    Raises:
        ServerError: it could not be compiled.
    """
    if any(not _PLANNING.isdisjoint(path.parts) for path in paths):
        run.once("kernel", _compile)


def _compile() -> Facts:
    command = [sys.executable, "-c", "from services.matching.rules.engine import warm_up; warm_up()"]
    subprocess.run(command, cwd=_ROOT, check=True, timeout=_COMPILE_TIMEOUT)
    return {}
