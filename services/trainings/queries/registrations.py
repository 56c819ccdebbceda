"""Reading registrations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import aliased, with_expression

from services.trainings.rules.vocabulary import RegistrationState
from services.trainings.tables import Registration
from shared.db import ReadSession
from shared.keyset import page


async def registrations(
    db: ReadSession, activity_id: UUID, after: tuple[int] | None, limit: int
) -> Sequence[Registration]:
    """An activity's registrations in order of arrival, with `place_in_queue`."""
    ahead = aliased(Registration)
    place = (
        select(func.count())
        .where(
            ahead.activity_id == activity_id,
            ahead.state == RegistrationState.waitlisted,
            ahead.queue <= Registration.queue,
        )
        .scalar_subquery()
    )
    place_in_queue = case((Registration.state == RegistrationState.waitlisted, place))
    query = select(Registration).where(Registration.activity_id == activity_id)
    query = query.options(with_expression(Registration.place_in_queue, place_in_queue))
    return (await db.scalars(page(query, [Registration.queue], after, limit))).all()
