"""Reading registrations, with the places of those who wait."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import aliased

from services.trainings.rules.vocabulary import RegistrationState
from services.trainings.tables import Registration
from shared.db import ReadSession
from shared.keyset import page


class Listed(NamedTuple):
    """A registration; `place_in_queue` counts from 1 and is None for those who do not wait."""

    id: UUID
    activity_id: UUID
    cluster_id: UUID
    seats: int
    state: str
    queue: int
    registered_at: datetime
    place_in_queue: int | None


async def registrations(db: ReadSession, activity_id: UUID, after: tuple[int] | None, limit: int) -> list[Listed]:
    """An activity's registrations in the order of arrival."""
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
    waits = Registration.state == RegistrationState.waitlisted
    columns = select(*Registration.__table__.columns, case((waits, place)).label("place_in_queue"))
    query = page(columns.where(Registration.activity_id == activity_id), [Registration.queue], after, limit)
    return [Listed(**row._mapping) for row in await db.execute(query)]  # noqa: SLF001  SQLAlchemy's public name for it
