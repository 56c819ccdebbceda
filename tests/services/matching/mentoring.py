"""A proposed pair and the passing of time, for tests of mentorships."""

from datetime import timedelta

from shared import clock
from tests.services.matching.actions import Json, Matching, Member, learner, mentor
from tests.support import factories

TODAY = clock.now().date()
MEETING: Json = {"state": "held", "on": TODAY.isoformat(), "minutes": 90}


async def proposed_pair(matching: Matching) -> tuple[Member, Member, str]:
    """A mentor, a learner, and the id of their proposal."""
    ant, bee = mentor("Ant", mentor_capacity=2), learner("Bee")
    (pair,) = await matching.register_and_publish(ant, bee)
    return ant, bee, pair["id"]


async def pass_days(matching: Matching, id: str, days: int) -> None:
    """Move the start and the last activity of a mentorship into the past."""
    query = "UPDATE mentorship SET last_activity_at = last_activity_at - $2::interval, "
    query += "started_at = started_at - $2::interval WHERE id = $1"
    await factories.rows(matching.url, query, id, timedelta(days=days))
