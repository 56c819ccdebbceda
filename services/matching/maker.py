"""Whoever takes up the runs that are asked for: a loop in every replica, which makes one at a time."""

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.matching.commands import making, publishing
from services.matching.rules.question import Question
from services.matching.solver import Solver
from services.matching.tables import Run
from shared import clock
from shared.db import Database, listen
from shared.errors import Conflict

BEAT = 0.5
LOOK = 2.0
RUN_LIMIT = 120.0
"""Seconds after which a run's plan is the best so far."""

_log = structlog.get_logger(__name__)


class Maker:
    """Makes runs.

    Args:
        solver: is not asked to watch any other plan meanwhile.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._asked = asyncio.Event()

    async def run(self, database: Database) -> None:
        """Make what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(listen(database, making.ASKED, self._asked.set))
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
                async with asyncio.timeout(LOOK):
                    await self._asked.wait()

    async def _claimed(self, database: Database) -> Run | None:
        async with database.transaction() as tx:
            return await making.claim(tx)

    async def _made(self, database: Database, run: Run) -> None:
        beating = asyncio.create_task(self._beat(database, run))
        try:
            question = Question.read(run.inputs)
            plan, took = await self._solver.watched(question, RUN_LIMIT)
        except Conflict as error:
            async with database.transaction() as tx:
                await making.fail(tx, run.id, run.tries, error.message)
        except Exception:  # noqa: BLE001  whatever it is, others wait for their runs
            _log.exception("a run was not made", run=str(run.id))
            async with database.transaction() as tx:
                await making.fail(tx, run.id, run.tries, "An error of Kei; its log says more.")
        except asyncio.CancelledError:
            async with database.transaction() as tx:
                await making.release(tx, run.id, run.tries)
            raise
        else:
            async with database.transaction() as tx:
                made = await making.finish(tx, run.id, run.tries, plan, took)
                if made is not None and made.causes:
                    await publishing.follow(tx, made, plan, clock.now())
        finally:
            beating.cancel()

    async def _beat(self, database: Database, run: Run) -> None:
        """Say how far it is; what is not wanted any more is stopped."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                async with database.transaction() as tx:
                    wanted = await making.beat(tx, run.id, run.tries, self._solver.progress)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("a run is made that cannot say so", run=str(run.id), reason=repr(error))
                continue
            if not wanted:
                self._solver.stop()
                return
