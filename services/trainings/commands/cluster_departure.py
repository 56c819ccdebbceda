"""What becomes of the seats of a cluster that leaves."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.trainings.commands.registrations import cancel
from services.trainings.rules.vocabulary import ActivityState, RegistrationState
from services.trainings.tables import Activity, Archived, Cluster, Registration
from shared.db import WriteSession

_HELD = (RegistrationState.confirmed, RegistrationState.waitlisted)


async def leave(tx: WriteSession, cluster_ids: Sequence[UUID], today: date) -> None:
    """Remember who has left, and give their seats in what has not begun to those who wait. Nobody comes back."""
    # Whoever registers one of them holds it, so that nobody does between this look at its seats and the commit.
    await tx.execute(select(Cluster.id).where(Cluster.id.in_(cluster_ids)).order_by(Cluster.id).with_for_update())
    await tx.execute(insert(Archived).on_conflict_do_nothing(), [{"cluster_id": id} for id in cluster_ids])
    ahead = select(Activity.id).where(Activity.state == ActivityState.published, Activity.starts_on > today)
    query = select(Registration.activity_id, Registration.id).where(
        Registration.cluster_id.in_(cluster_ids), Registration.state.in_(_HELD), Registration.activity_id.in_(ahead)
    )
    # In one order for everybody, as each locks its activity.
    for activity_id, id in (await tx.execute(query.order_by(Registration.activity_id, Registration.queue))).all():
        await cancel(tx, activity_id, id)
