"""Labels for cluster excellence expire after their last valid day."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, select

from services.members.commands.clusters import next_version
from services.members.tables import Cluster
from shared import outbox
from shared.db import WriteSession
from shared.events.members import LabelExpired

BATCH_SIZE = 100
"""Maximum number of labels that are read at once."""


async def due(tx: WriteSession, today: date, excluded: Collection[UUID]) -> Sequence[UUID]:
    """Some clusters whose label was valid until a day before `today`; none if all of them are `excluded`."""
    query = select(Cluster.id).where(*_is_due(today), Cluster.id.not_in(excluded))
    return (await tx.scalars(query.order_by(Cluster.id).limit(BATCH_SIZE))).all()


async def expire(tx: WriteSession, cluster_id: UUID, today: date) -> bool:
    """Publish the expiry of the label of a cluster, if it is due and was not published before.

    A label with a new date can expire again.

    Returns:
        Whether it was.
    """
    query = select(Cluster).where(Cluster.id == cluster_id, *_is_due(today))
    cluster = await tx.scalar(query.with_for_update(skip_locked=True))
    if cluster is None:
        return False
    cluster.label_expired = True
    event = LabelExpired(
        cluster_id=cluster.id,
        consortium_id=cluster.consortium_id,
        label=cluster.label,
        label_valid_until=cluster.label_valid_until or today,
    )
    outbox.append(tx, event, version=next_version(cluster))
    return True


def _is_due(today: date) -> tuple[ColumnElement[bool], ...]:
    return Cluster.label != "none", Cluster.label_valid_until < today, ~Cluster.label_expired
