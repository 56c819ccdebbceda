"""Plans are made in a process of its own, so that a large one never blocks a request.

It is bounded in time, and replaced if it dies.
"""

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from services.matching.rules.plan import Proposal, Situation, best_plan
from services.matching.rules.score import Criteria
from services.matching.rules.solve import NotOptimal
from shared.db import Database
from shared.errors import Conflict

TIME_LIMIT = 10.0
"""Seconds a plan may take. The transaction that asks for it idles meanwhile; PostgreSQL ends it after 15 s of that."""
TRIES = 2
"""How often a plan is begun, should its process die."""


class Solver:
    """Makes plans, one after the other."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def __call__(self, situation: Situation, criteria: Criteria) -> list[Proposal]:
        """The best plan.

        Raises:
            Conflict: it was not found within the time limit, or the process died over it each time.
        """
        for _ in range(TRIES):
            pool = self._pool = self._pool or _new_pool()
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(pool, best_plan, situation, criteria, TIME_LIMIT)
            except NotOptimal as error:
                raise Conflict("no-plan", f"The best plan was not found within {TIME_LIMIT:.0f} s.") from error
            except BrokenProcessPool:
                if self._pool is pool:  # another request may have replaced it already
                    self._pool = None
        raise Conflict("solver-failed", "The plan could not be made; it may be too large.")

    async def run(self, _: Database) -> None:
        """Start the process before the first plan is asked for, and end it when this is cancelled."""
        try:
            await self(Situation({}, {}, {}, frozenset()), Criteria())
            await asyncio.Event().wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """In the new process: HiGHS greets on standard output, and nobody else ends this process when its parent dies."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
