"""The solver's processes: plans are made outside the web process, so that a large one does not block requests.

Solves have a time limit and a low priority, and a process that dies is replaced.
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
from typing import Any, TypeAlias, TypeVar
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
"""Time limit of a what-if; after it the best plan found so far is the result. The transaction of the request is idle
meanwhile, and PostgreSQL ends idle transactions after 15 s."""
PROCESSES = 2
"""So that a what-if does not wait for a run. The second process starts when it is needed."""
NICENESS = 10
"""Added to the niceness of the web process."""
MAX_ATTEMPTS = 2
"""Attempts at a solve whose process dies."""

_SPAWN = multiprocessing.get_context("spawn")
T = TypeVar("T")


SolveStatus: TypeAlias = Any
"""Shared memory of two integers: the progress in thousandths, and whether to stop."""
_status: SolveStatus = None


class SolverPool:
    """Solves plan inputs in other processes. One solve at a time reports its progress and can be stopped."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._status: SolveStatus = _SPAWN.RawArray("i", 2)
        self._warm = asyncio.Event()

    @property
    def progress(self) -> int:
        """The progress of `solve_with_progress` in thousandths."""
        return int(self._status[0])

    def stop(self) -> None:
        """Have `solve_with_progress` return the best plan found so far."""
        self._status[1] = 1

    async def solve_with_progress(self, plan_input: PlanInput, limit: float) -> tuple[Plan, int]:
        """As `solve`, with a time limit in seconds, `progress` and `stop`.

        Raises:
            Conflict: as for `solve`.
        """
        self._status[:] = (0, 0)
        return await self._call(partial(_solve_with_progress, plan_input, limit))

    async def solve(self, plan_input: PlanInput) -> tuple[Plan, int]:
        """The best plan, and the milliseconds that it took.

        Raises:
            Conflict: there is no plan, or the process died at each attempt.
        """
        return await self._call(partial(_solve, plan_input))

    async def explain(self, plan_input: PlanInput, learner_id: UUID, mentor_id: UUID | None) -> Explanation:
        """The alternates of a learner, and what the pair with another mentor would cost.

        Raises:
            Conflict: as for `solve`.
        """
        return await self._call(partial(explain, plan_input, learner_id, mentor_id))

    async def move_frontier(self, plan_input: PlanInput) -> MoveFrontier:
        """The total of the plan by the number of open proposals that it withdraws.

        Raises:
            Conflict: as for `solve`.
        """
        return await self._call(partial(_move_frontier, plan_input))

    async def run(self, _: Database) -> None:
        """Start and warm up a process before the first request; shut the pool down when cancelled."""
        try:
            with suppress(Conflict):  # a request will get the same error
                await self._submit(warm_up)
            self._warm.set()
            await asyncio.Event().wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[[], T]) -> T:
        await self._warm.wait()  # an earlier call would start the second process while the first one is warming up
        return await self._submit(work)

    async def _submit(self, work: Callable[[], T]) -> T:
        for _attempt in range(MAX_ATTEMPTS):
            pool = self._pool = self._pool or _new_pool(self._status)
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work)
            except (NotOptimal, ValueError) as error:
                raise Conflict("no-plan", str(error)) from error
            except (BrokenProcessPool, BrokenPipeError):  # BrokenPipeError: the process died while it was starting
                pool.shutdown(wait=False)
                if self._pool is pool:  # another request may have replaced it already
                    self._pool = None
        raise Conflict(
            "solver-failed",
            f"The plan could not be made: the solver process ended {MAX_ATTEMPTS} times. The plan may be too large.",
        )


def _solve(plan_input: PlanInput) -> tuple[Plan, int]:
    return _timed_plan(plan_input, TIME_LIMIT_SECONDS, lambda _: False)


def _move_frontier(plan_input: PlanInput) -> MoveFrontier:
    started = monotonic()
    return move_frontier(plan_input, lambda _: monotonic() - started > TIME_LIMIT_SECONDS)


def _solve_with_progress(plan_input: PlanInput, limit: float) -> tuple[Plan, int]:
    return _timed_plan(plan_input, limit, _report_progress)


def _report_progress(done: float) -> bool:
    _status[0] = int(1000 * done)
    return bool(_status[1])


def _timed_plan(plan_input: PlanInput, limit: float, control: Control) -> tuple[Plan, int]:
    started = monotonic()
    plan = make_plan(plan_input, lambda done: control(done) or monotonic() - started > limit)
    return plan, round(1000 * (monotonic() - started))


def _new_pool(status: SolveStatus) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, mp_context=_SPAWN, initializer=_initialise, initargs=(status,))


def _initialise(status: SolveStatus) -> None:
    """Runs in the new process."""
    global _status  # noqa: PLW0603  it came with the process, and functions sent to it find it nowhere else
    _status = status
    os.nice(NICENESS)
    gc_tuning.freeze_startup_objects()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
