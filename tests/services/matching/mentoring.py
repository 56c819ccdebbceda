"""Two clusters that work together, for the tests of mentorships."""

from datetime import timedelta

from shared import clock
from tests.services.matching.actions import Json, Matching, Member, learner, mentor
from tests.support import factories

TODAY = clock.now().date()
MEETING: Json = {"state": "held", "on": TODAY.isoformat(), "minutes": 90}


async def proposed_pair(matching: Matching) -> tuple[Member, Member, str]:
    """A mentor, a learner, and the proposal that they work together."""
    ant, bee = mentor("Ant", mentor_capacity=2), learner("Bee")
    (pair,) = await matching.register_and_publish(ant, bee)
    return ant, bee, pair["id"]


async def pass_days(matching: Matching, id: str, days: int) -> None:
    """So many days pass for a mentorship."""
    query = "UPDATE mentorship SET last_activity_at = last_activity_at - $2::interval, "
    query += "started_at = started_at - $2::interval WHERE id = $1"
    await factories.rows(matching.url, query, id, timedelta(days=days))
