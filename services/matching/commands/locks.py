"""Locks: one transaction at a time for a consortium, and for a run."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm.interfaces import ORMOption

from services.matching.tables import Run
from shared.db import WriteSession
from shared.errors import NotFound

CRITERIA_VERSIONS = 0x637265
"""First key of the advisory lock for numbering the versions of a criteria set."""
RUNS = 0x72756E
"""First key of the advisory lock for starting a run."""
PROPOSALS = 0x70616972
"""First key of the advisory lock for opening, replying to and closing proposals."""


async def lock_consortium(tx: WriteSession, key: int, consortium_id: UUID) -> None:
    """Hold an advisory lock of a consortium until the transaction ends; `key` is one of the constants above."""
    await tx.execute(select(func.pg_advisory_xact_lock(key, func.hashtext(str(consortium_id)))))


async def lock_run(tx: WriteSession, id: UUID, right: Callable[[UUID], bool], *options: ORMOption) -> Run:
    """Load a run and lock its row until the end of the transaction.

    Raises:
        NotFound
    """
    run = await tx.scalar(select(Run).where(Run.id == id).options(*options).with_for_update())
    if run is None or not right(run.consortium_id):
        raise NotFound("no-such-run", "There is no such run.")
    return run
