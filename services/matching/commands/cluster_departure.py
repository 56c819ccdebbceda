"""The departure of archived clusters: their open proposals are withdrawn, and their mentorships end."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.commands.mentorships import Ending, close
from services.matching.commands.proposals import withdraw
from services.matching.tables import Mentorship, Pair
from shared.db import WriteSession


async def end_pairs(tx: WriteSession, archived: Collection[tuple[UUID, UUID]], now: datetime) -> None:
    """Withdraw the proposals and end the mentorships of archived clusters.

    Args:
        tx: the transaction.
        archived: ids of a cluster and of its consortium.
        now: the time of the end.
    """
    cluster_ids = {cluster_id for cluster_id, _ in archived}
    for consortium_id in sorted({consortium_id for _, consortium_id in archived}):
        await lock_consortium(tx, PROPOSALS, consortium_id)
    is_live = Pair.state.in_(["proposed", "accepted"])
    query = select(Pair).where(is_live, or_(Pair.mentor_id.in_(cluster_ids), Pair.learner_id.in_(cluster_ids)))
    for pair in (await tx.scalars(query.order_by(Pair.id).with_for_update())).all():
        if pair.state == "proposed":
            withdraw(tx, pair, "archived", now)
        else:
            mentorship = await tx.get_one(Mentorship, pair.id)
            await close(tx, mentorship, Ending("early", "One of the two clusters was archived."), now)
