"""A cluster leaves: its seats go to the clusters that wait."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.trainings.commands.registrations import cancel
from services.trainings.rules.vocabulary import ActivityState, RegistrationState
from services.trainings.tables import Activity, Archived, Cluster, Registration
from shared.db import WriteSession


async def archive_clusters(tx: WriteSession, cluster_ids: Sequence[UUID], today: date) -> None:
    """Record that clusters have left.

    Their registrations for activities that begin after `today` are cancelled, and they leave every queue.
    """
    # `require_active_cluster` takes a shared lock, so that no registration is added between the query and the commit.
    await tx.execute(select(Cluster.id).where(Cluster.id.in_(cluster_ids)).order_by(Cluster.id).with_for_update())
    await tx.execute(insert(Archived).on_conflict_do_nothing(), [{"cluster_id": id} for id in cluster_ids])
    waits = Registration.state == RegistrationState.waitlisted
    ahead = (Registration.state == RegistrationState.confirmed) & (Activity.starts_on > today)
    query = select(Registration.activity_id, Registration.id).join(Activity, Activity.id == Registration.activity_id)
    query = query.where(
        Registration.cluster_id.in_(cluster_ids), Activity.state == ActivityState.published, waits | ahead
    )
    # Each cancellation locks its activity: all transactions lock activities in the same order.
    for activity_id, id in (await tx.execute(query.order_by(Registration.activity_id, Registration.queue))).all():
        await cancel(tx, activity_id, id, today)
