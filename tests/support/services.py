"""How services are built in tests: the ones that plan share one solver, whose processes take a second to start."""

import asyncio
import functools
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from services.matching.jobs.solver_pool import SolverPool
from services.matching.rules.engine import warm_up
from shared.db import Database
from tests.support import factories
from tests.support.run import Facts, Run

_ROOT = Path(__file__).parents[2]
_PLANNING = {"matching", "console", "faults", "flows", "contracts", "browser"}
"""Folders whose tests make plans."""
_COMPILE_TIMEOUT = 300.0


class SharedSolver(SolverPool):
    """A pool of solver processes for all services of this test process, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        with ThreadPoolExecutor(1) as elsewhere:  # an event loop runs here already
            elsewhere.submit(asyncio.run, self._submit(warm_up)).result()
        self._warm.set()

    async def run(self, _: Database) -> None:
        """Until it is cancelled: unlike its parent it leaves the processes to the next service."""
        await asyncio.Event().wait()


@functools.cache
def shared_solver() -> SharedSolver:
    return SharedSolver()


def build(service: str) -> factories.Build:
    """A service's `main.build`, with the shared solver if it takes one."""
    built: factories.Build = import_module(f"services.{service}.main").build
    return functools.partial(built, solver=shared_solver()) if service == "matching" else built


def compile_kernel(run: Run, paths: Iterable[Path]) -> None:
    """Compile the solver's kernel before the first test that plans: in a new checkout it takes longer than a test may.

    Raises:
        ServerError: it could not be compiled.
    """
    if any(not _PLANNING.isdisjoint(path.parts) for path in paths):
        run.once("kernel", _compile)


def _compile() -> Facts:
    command = [sys.executable, "-c", "from services.matching.rules.engine import warm_up; warm_up()"]
    subprocess.run(command, cwd=_ROOT, check=True, timeout=_COMPILE_TIMEOUT)
    return {}
