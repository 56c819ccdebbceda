"""Reading activities."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from services.trainings.tables import Activity
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def activities(
    db: ReadSession, within: UUID | None, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Activity]:
    """Activities in order of their first day; only those of the consortium `within`, if given."""
    query = select(Activity)
    if within is not None:
        query = query.where(Activity.consortium_id == within)
    return (await db.scalars(page(query, [Activity.starts_on, Activity.id], after, limit))).all()


async def activity(db: ReadSession, id: UUID, may_see: Callable[[UUID], bool]) -> Activity:
    """One activity, if `may_see(consortium)`. The error does not tell whether the activity exists.

    Raises:
        NotFound
    """
    activity = await db.get(Activity, id)
    if activity is None or not may_see(activity.consortium_id):
        raise NotFound("no-such-activity", "There is no such activity.")
    return activity
