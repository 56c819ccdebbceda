"""What becomes of pairs when a cluster leaves: nobody need answer them any more, and mentorships end."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from services.matching.commands.locks import PROPOSALS, lock_consortium
from services.matching.commands.mentorships import Ending, close
from services.matching.commands.proposals import withdraw
from services.matching.tables import Mentorship, Pair
from shared.db import WriteSession


async def end_pairs(tx: WriteSession, clusters: Collection[tuple[UUID, UUID]], now: datetime) -> None:
    """Withdraw and end what clusters that left, each with its consortium, were part of."""
    gone = {cluster_id for cluster_id, _ in clusters}
    for consortium_id in sorted({consortium_id for _, consortium_id in clusters}):
        await lock_consortium(tx, PROPOSALS, consortium_id)
    live = Pair.state.in_(["proposed", "accepted"])
    query = select(Pair).where(live, or_(Pair.mentor_id.in_(gone), Pair.learner_id.in_(gone)))
    for pair in (await tx.scalars(query.order_by(Pair.id).with_for_update())).all():
        if pair.state == "proposed":
            withdraw(tx, pair, "archived", now)
        else:
            await close(tx, await tx.get_one(Mentorship, pair.id), Ending("early", "One of the two has left."), now)
