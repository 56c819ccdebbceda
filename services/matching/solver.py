"""Plans are made in a process of its own, so that a large one never blocks a request.

It is bounded in time, and replaced if it dies.
"""

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from time import monotonic
from typing import ParamSpec, TypeVar
from uuid import UUID

from services.matching.rules.engine import NotOptimal, warm
from services.matching.rules.plan import answer
from services.matching.rules.planned import Explanation, Plan
from services.matching.rules.question import Question
from services.matching.rules.why import explain
from shared.db import Database
from shared.errors import Conflict

TIME_LIMIT = 10.0
"""Seconds a plan may take; then the best so far is given. The transaction that asks for it idles meanwhile, and
PostgreSQL ends it after 15 s of that."""
TRIES = 2
"""How often a plan is begun, should its process die."""

P = ParamSpec("P")
T = TypeVar("T")


class Solver:
    """Answers questions, one after the other."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def plan(self, question: Question) -> tuple[Plan, int]:
        """The best plan, and how many milliseconds it took.

        Raises:
            Conflict: it cannot be made, or the process died over it each time.
        """
        return await self._done(_plan, question)

    async def explain(self, question: Question, learner_id: UUID, mentor_id: UUID | None) -> Explanation:
        """Why a learner has the mentors it has, and what another would cost.

        Raises:
            Conflict: as for a plan.
        """
        return await self._done(explain, question, learner_id, mentor_id)

    async def run(self, _: Database) -> None:
        """Start the process before the first plan is asked for, and end it when this is cancelled."""
        try:
            await self._done(warm)
            await asyncio.Event().wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    async def _done(self, work: Callable[P, T], *args: P.args, **_: P.kwargs) -> T:
        for _try in range(TRIES):
            pool = self._pool = self._pool or _new_pool()
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
            except (NotOptimal, ValueError) as error:
                raise Conflict("no-plan", str(error)) from error
            except BrokenProcessPool:
                if self._pool is pool:  # another request may have replaced it already
                    self._pool = None
        raise Conflict("solver-failed", "The plan could not be made; it may be too large.")


def _plan(question: Question) -> tuple[Plan, int]:
    begun = monotonic()
    made = answer(question, lambda _: monotonic() - begun > TIME_LIMIT)
    return made, round(1000 * (monotonic() - begun))


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """In the new process: nobody else ends it when its parent dies."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
