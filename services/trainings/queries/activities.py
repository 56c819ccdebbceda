"""Reading activities. `within` limits the query to one consortium; None sees all."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select, tuple_

from services.trainings.tables import Activity
from shared.db import ReadSession
from shared.errors import NotFound


async def activities(
    db: ReadSession, within: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Activity]:
    """Activities in order of their first day."""
    query = select(Activity).order_by(Activity.starts_on, Activity.id).limit(limit)
    if within is not None:
        query = query.where(Activity.consortium_id == within)
    if after is not None:
        day, id = date.fromisoformat(after[0]), after[1]
        query = query.where(tuple_(Activity.starts_on, Activity.id) > tuple_(day, id))
    return (await db.scalars(query)).all()


async def activity(db: ReadSession, id: UUID) -> Activity:
    """One activity.

    Raises:
        NotFound: no such activity.
    """
    found = await db.get(Activity, id)
    if found is None:
        raise NotFound("no-such-activity", "There is no such activity.")
    return found
