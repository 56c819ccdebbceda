"""Whoever takes up the runs that are asked for: a loop in every replica, which makes one at a time."""

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.matching.commands import run_execution, run_publication
from services.matching.commands.run_execution import ClaimedRun
from services.matching.jobs.solver_pool import SolverPool
from services.matching.rules.inputs.plan_input import PlanInput
from shared import clock
from shared.db import Database, listen
from shared.errors import Conflict

HEARTBEAT_SECONDS = 0.5
POLL_SECONDS = 2.0
RUN_LIMIT_SECONDS = 120.0
"""Seconds after which a run's plan is the best so far."""

_log = structlog.get_logger(__name__)


class RunWorker:
    """Makes runs.

    Args:
        solver: is not asked to watch any other plan meanwhile.
    """

    def __init__(self, solver: SolverPool) -> None:
        self._solver = solver
        self._asked = asyncio.Event()

    async def run(self, database: Database) -> None:
        """Make what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(listen(database, run_execution.RUNS_CHANNEL, self._asked.set))
            group.create_task(self._work(database))

    async def _work(self, database: Database) -> None:
        while True:
            self._asked.clear()
            try:
                while (run := await self._claimed(database)) is not None:
                    await self._made(database, run)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("runs are not made", reason=repr(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._asked.wait()

    async def _claimed(self, database: Database) -> ClaimedRun | None:
        async with database.transaction() as tx:
            return await run_execution.claim(tx)

    async def _made(self, database: Database, run: ClaimedRun) -> None:
        beating = asyncio.create_task(self._beat(database, run))
        try:
            question = PlanInput.from_data(run.inputs)
            plan, took = await self._solver.watched(question, RUN_LIMIT_SECONDS)
        except Conflict as error:
            async with database.transaction() as tx:
                await run_execution.fail(tx, run.id, run.attempt, error.message)
        except Exception:  # noqa: BLE001  whatever it is, others wait for their runs
            _log.exception("a run was not made", run=str(run.id))
            async with database.transaction() as tx:
                await run_execution.fail(tx, run.id, run.attempt, "An error of Kei; its log says more.")
        except asyncio.CancelledError:
            async with database.transaction() as tx:
                await run_execution.release(tx, run.id, run.attempt)
            raise
        else:
            async with database.transaction() as tx:
                made = await run_execution.finish(tx, run.id, run.attempt, plan, took)
                if made is not None and made.causes:
                    await run_publication.conclude_replan(tx, made, plan, clock.now())
        finally:
            beating.cancel()

    async def _beat(self, database: Database, run: ClaimedRun) -> None:
        """Say how far it is; what is not wanted any more is stopped."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                async with database.transaction() as tx:
                    wanted = await run_execution.heartbeat(tx, run.id, run.attempt, self._solver.progress)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("a run is made that cannot say so", run=str(run.id), reason=repr(error))
                continue
            if not wanted:
                self._solver.stop()
                return
