"""Labels for excellence end on their day, and that is told."""

from datetime import date

from sqlalchemy import select

from services.members.commands.clusters import step
from services.members.tables import Cluster
from shared import outbox
from shared.db import WriteSession
from shared.events.members import LabelExpired

AT_ONCE = 100
"""Labels that end in one transaction, at most."""


async def expire(tx: WriteSession, today: date) -> int:
    """Tell of labels whose last day is over, each once; how many those were. One that is given anew can expire anew."""
    due = select(Cluster).where(Cluster.label != "none", Cluster.label_valid_until < today, ~Cluster.label_expired)
    found = (await tx.scalars(due.order_by(Cluster.id).limit(AT_ONCE).with_for_update(skip_locked=True))).all()
    for cluster in found:
        cluster.label_expired = True
        event = LabelExpired(
            cluster_id=cluster.id,
            consortium_id=cluster.consortium_id,
            label=cluster.label,
            label_valid_until=cluster.label_valid_until or today,
        )
        outbox.append(tx, event, version=step(cluster))
    return len(found)
