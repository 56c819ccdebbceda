"""The run worker: a loop in every replica that claims requested runs and solves one at a time."""

import asyncio
from functools import partial

from services.matching.commands import run_execution, run_publication
from services.matching.commands.run_execution import ClaimedRun
from services.matching.jobs.solver_pool import SolverPool
from services.matching.rules.inputs.plan_input import PlanInput
from shared import clock
from shared.background import every, is_transient, record_error
from shared.db import Database, listen
from shared.errors import Conflict

HEARTBEAT_SECONDS = 0.5
POLL_SECONDS = 2.0
"""Pause between two checks for runs, if no notification arrives."""
RUN_LIMIT_SECONDS = 120.0
"""Time limit of a run; after it the best plan found so far is the result."""

JOB = "run execution"


class RunWorker:
    """Executes runs.

    Args:
        solver: solves no other plan with progress at the same time.
    """

    def __init__(self, solver: SolverPool) -> None:
        self._solver = solver
        self._wake = asyncio.Event()

    async def run(self, database: Database) -> None:
        """Execute runs until cancelled."""
        work = partial(self._execute_all, database)
        async with asyncio.TaskGroup() as group:
            group.create_task(listen(database, run_execution.RUNS_CHANNEL, self._wake.set))
            group.create_task(every(POLL_SECONDS, work, job=JOB, wake=self._wake))

    async def _execute_all(self, database: Database) -> None:
        while (run := await self._claim(database)) is not None:
            await self._execute(database, run)

    async def _claim(self, database: Database) -> ClaimedRun | None:
        async with database.transaction() as tx:
            return await run_execution.claim(tx)

    async def _execute(self, database: Database, run: ClaimedRun) -> None:
        heartbeat = asyncio.create_task(self._keep_alive(database, run))
        try:
            plan, took_ms = await self._solver.solve_with_progress(PlanInput.from_data(run.inputs), RUN_LIMIT_SECONDS)
            async with database.transaction() as tx:
                finished = await run_execution.finish(tx, run.id, run.attempt, plan, took_ms)
                if finished is not None and finished.causes:
                    await run_publication.conclude_replan(tx, finished, plan, clock.now())
        except Conflict as error:
            await self._fail(database, run, error.message)
        except asyncio.CancelledError:
            async with database.transaction() as tx:
                await run_execution.release(tx, run.id, run.attempt)
            raise
        except Exception as error:
            if is_transient(error):
                raise  # without a heartbeat the run is claimed again
            record_error(JOB, error, run=str(run.id))
            await self._fail(database, run, "An internal error of Kei; see its log.")
        finally:
            heartbeat.cancel()

    async def _fail(self, database: Database, run: ClaimedRun, reason: str) -> None:
        async with database.transaction() as tx:
            await run_execution.fail(tx, run.id, run.attempt, reason)

    async def _keep_alive(self, database: Database, run: ClaimedRun) -> None:
        """Renew the heartbeat until cancelled; stop the solver if the run was cancelled or lost."""

        async def renew() -> None:
            async with database.transaction() as tx:
                owned = await run_execution.renew_heartbeat(tx, run.id, run.attempt, self._solver.progress)
            if not owned:
                self._solver.stop()

        await every(HEARTBEAT_SECONDS, renew, job="run heartbeat", run=str(run.id))
