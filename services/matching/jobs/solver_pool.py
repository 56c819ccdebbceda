"""Plans are made in a process of its own, so that a large one never blocks a request.

It is bounded in time, gives way to everything else on a busy machine, and is replaced if it dies.
"""

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from services.matching.rules.engine import Control, NotOptimal, warm_up
from services.matching.rules.explaining.alternatives import explain
from services.matching.rules.explaining.move_frontier import MoveFrontier, move_frontier
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.inputs.plan_models import Explanation, Plan
from services.matching.rules.report import make_plan
from shared import gc_tuning
from shared.db import Database
from shared.errors import Conflict

TIME_LIMIT_SECONDS = 10.0
"""Seconds a what-if may take; then the best so far is given. The transaction that asks for it idles meanwhile, and
PostgreSQL ends it after 15 s of that."""
PROCESSES = 2
"""Processes, so that a what-if need not wait for a run; the second begins when it is needed."""
NICENESS = 10
"""By how much less urgent a plan is to the machine than requests are."""
MAX_ATTEMPTS = 2
"""How often a plan is begun, should its process die."""

_SPAWN = multiprocessing.get_context("spawn")
T = TypeVar("T")


Marks = Any
"""How far the watched plan is, in thousandths, and whether it is to stop: two integers that both processes see."""
_marks: Marks = None


class SolverPool:
    """Answers questions in processes of their own. One plan at a time can be watched."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._marks: Marks = _SPAWN.RawArray("i", 2)
        self._warm = asyncio.Event()

    @property
    def progress(self) -> int:
        """How far the watched plan is, in thousandths."""
        return int(self._marks[0])

    def stop(self) -> None:
        """Have the watched plan end with what it has."""
        self._marks[1] = 1

    async def watched(self, question: PlanInput, limit: float) -> tuple[Plan, int]:
        """As `plan`, with another limit in seconds, while its progress is told and it can be stopped.

        Raises:
            Conflict: as for `plan`.
        """
        self._marks[:] = (0, 0)
        return await self._done(partial(_watched, question, limit))

    async def plan(self, question: PlanInput) -> tuple[Plan, int]:
        """The best plan, and how many milliseconds it took.

        Raises:
            Conflict: it cannot be made, or the process died over it each time.
        """
        return await self._done(partial(_plan, question))

    async def explain(self, question: PlanInput, learner_id: UUID, mentor_id: UUID | None) -> Explanation:
        """Why a learner has the mentors it has, and what another would cost.

        Raises:
            Conflict: as for a plan.
        """
        return await self._done(partial(explain, question, learner_id, mentor_id))

    async def moves(self, question: PlanInput) -> MoveFrontier:
        """What dropping open proposals would bring.

        Raises:
            Conflict: as for a plan.
        """
        return await self._done(partial(_moves, question))

    async def run(self, _: Database) -> None:
        """Start the process before the first plan is asked for, and end it when this is cancelled."""
        try:
            with suppress(Conflict):  # whoever asks for a plan will be told
                await self._tried(warm_up)
            self._warm.set()
            await asyncio.Event().wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    async def _done(self, work: Callable[[], T]) -> T:
        await self._warm.wait()  # before that, a second process would begin where the first is at hand soon
        return await self._tried(work)

    async def _tried(self, work: Callable[[], T]) -> T:
        for _try in range(MAX_ATTEMPTS):
            pool = self._pool = self._pool or _new_pool(self._marks)
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work)
            except (NotOptimal, ValueError) as error:
                raise Conflict("no-plan", str(error)) from error
            except (BrokenProcessPool, BrokenPipeError):  # the latter of a process that died while it began
                pool.shutdown(wait=False)
                if self._pool is pool:  # another request may have replaced it already
                    self._pool = None
        raise Conflict(
            "solver-failed",
            f"The plan could not be made: its process ended, {MAX_ATTEMPTS} times. It may be too large.",
        )


def _plan(question: PlanInput) -> tuple[Plan, int]:
    return _answered(question, TIME_LIMIT_SECONDS, lambda _: False)


def _moves(question: PlanInput) -> MoveFrontier:
    begun = monotonic()
    return move_frontier(question, lambda _: monotonic() - begun > TIME_LIMIT_SECONDS)


def _watched(question: PlanInput, limit: float) -> tuple[Plan, int]:
    return _answered(question, limit, _seen)


def _seen(done: float) -> bool:
    _marks[0] = int(1000 * done)
    return bool(_marks[1])


def _answered(question: PlanInput, limit: float, control: Control) -> tuple[Plan, int]:
    begun = monotonic()
    made = make_plan(question, lambda done: control(done) or monotonic() - begun > limit)
    return made, round(1000 * (monotonic() - begun))


def _new_pool(marks: Marks) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, mp_context=_SPAWN, initializer=_begin, initargs=(marks,))


def _begin(marks: Marks) -> None:
    """In the new process: nobody else ends it when its parent dies."""
    global _marks  # noqa: PLW0603  it came with the process, and functions sent to it find it nowhere else
    _marks = marks
    os.nice(NICENESS)
    gc_tuning.freeze_startup_objects()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
