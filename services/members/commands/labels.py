"""Labels for cluster excellence expire after their last valid day."""

from datetime import date

from sqlalchemy import select

from services.members.commands.clusters import next_version
from services.members.tables import Cluster
from shared import outbox
from shared.db import WriteSession
from shared.events.members import LabelExpired

BATCH_SIZE = 100
"""Maximum number of labels that expire in one transaction."""


async def expire(tx: WriteSession, today: date) -> int:
    """Publish the expiry of labels that were valid until a day before `today`, each once.

    A label with a new date can expire again.

    Returns:
        How many labels expired; `BATCH_SIZE` means that there may be more.
    """
    due = select(Cluster).where(Cluster.label != "none", Cluster.label_valid_until < today, ~Cluster.label_expired)
    batch = due.order_by(Cluster.id).limit(BATCH_SIZE).with_for_update(skip_locked=True)
    clusters = (await tx.scalars(batch)).all()
    for cluster in clusters:
        cluster.label_expired = True
        event = LabelExpired(
            cluster_id=cluster.id,
            consortium_id=cluster.consortium_id,
            label=cluster.label,
            label_valid_until=cluster.label_valid_until or today,
        )
        outbox.append(tx, event, version=next_version(cluster))
    return len(clusters)
