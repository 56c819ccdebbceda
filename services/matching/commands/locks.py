"""What has to wait for others of the same consortium."""

from uuid import UUID

from sqlalchemy import func, select

from shared.db import WriteSession


async def alone(tx: WriteSession, what: int, consortium_id: UUID) -> None:
    """Wait until nobody else does this for the consortium; `what` is the first key of the advisory lock."""
    await tx.execute(select(func.pg_advisory_xact_lock(what, func.hashtext(str(consortium_id)))))
