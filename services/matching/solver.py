"""The solver in a process of its own, so that a large plan never blocks a request.

It is bounded in time, and replaced if it dies.
"""

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from services.matching.rules.solve import Arc, NotOptimal, Problem, optimum
from shared.db import Database
from shared.errors import Conflict

TIME_LIMIT = 20.0
"""Seconds a plan may take."""


class Solver:
    """Makes plans, one after the other."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def __call__(self, problem: Problem) -> list[Arc]:
        """The best plan.

        Raises:
            Conflict: it was not found within the time limit, or the process died twice over it.
        """
        try:
            return await self._solve(problem)
        except BrokenProcessPool:
            self._pool = None
        except NotOptimal as error:
            raise Conflict("too-large", f"The best plan was not found within {TIME_LIMIT:.0f} s.") from error
        try:
            return await self._solve(problem)
        except (BrokenProcessPool, NotOptimal) as error:
            self._pool = None
            raise Conflict("solver-failed", "The plan could not be made; it may be too large.") from error

    async def _solve(self, problem: Problem) -> list[Arc]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        return await asyncio.get_running_loop().run_in_executor(self._pool, optimum, problem, TIME_LIMIT)

    async def run(self, _: Database) -> None:
        """Start the process before the first plan is asked for, and end it when this is cancelled."""
        try:
            await self(Problem((), {}, {}))
            await asyncio.Event().wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """In the new process: HiGHS greets on standard output, and nobody else ends this process when its parent dies."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
