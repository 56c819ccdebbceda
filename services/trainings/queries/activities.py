"""Reading activities. `within` limits the query to one consortium; None sees all."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.trainings.tables import Activity
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def activities(
    db: ReadSession, within: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Activity]:
    """Activities in order of their first day."""
    query = select(Activity)
    if within is not None:
        query = query.where(Activity.consortium_id == within)
    return (await db.scalars(page(query, [Activity.starts_on, Activity.id], after, limit))).all()


async def activity(db: ReadSession, id: UUID) -> Activity:
    """One activity.

    Raises:
        NotFound: no such activity.
    """
    found = await db.get(Activity, id)
    if found is None:
        raise NotFound("no-such-activity", "There is no such activity.")
    return found
