"""How services are built in tests: the ones that plan share one solver, whose processes take a second to start."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from services.matching.jobs.solver_pool import SolverPool
from services.matching.rules.engine import warm_up
from shared.db import Database
from tests.support import factories


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
