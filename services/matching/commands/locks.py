"""What has to wait for others."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm.interfaces import ORMOption

from services.matching.tables import Run
from shared.db import WriteSession
from shared.errors import NotFound


async def alone(tx: WriteSession, what: int, consortium_id: UUID) -> None:
    """Wait until nobody else does this for the consortium; `what` is the first key of the advisory lock."""
    await tx.execute(select(func.pg_advisory_xact_lock(what, func.hashtext(str(consortium_id)))))


async def locked_run(tx: WriteSession, id: UUID, right: Callable[[UUID], bool], *more: ORMOption) -> Run:
    """A run, if `right(consortium)`, with its row locked until the end of the transaction.

    Raises:
        NotFound
    """
    run = await tx.scalar(select(Run).where(Run.id == id).options(*more).with_for_update())
    if run is None or not right(run.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    return run
