"""Reading frameworks, assessments, levels with where they come from, and service requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from services.members.rules.levels import Score, current
from services.members.tables import Assessment, Framework, ServiceRequest, Target
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a cluster stands in an indicator: the score that counts, if any, and the target, if any."""

    framework: str
    indicator: str
    level: Score | None
    target: Target | None
    illustrative: bool


async def frameworks(db: ReadSession, after: tuple[str] | None, limit: int) -> Sequence[Framework]:
    """Frameworks in order of code."""
    return (await db.scalars(page(select(Framework), [Framework.code], after, limit))).all()


async def framework(db: ReadSession, code: str) -> Framework:
    """One framework.

    Raises:
        NotFound: no such framework.
    """
    found = await db.get(Framework, code)
    if found is None:
        raise NotFound("no-such-framework", "There is no such framework.")
    return found


async def assessments(
    db: ReadSession, cluster_id: UUID, after: tuple[str, UUID] | None, limit: int
) -> Sequence[Assessment]:
    """A cluster's assessments, oldest first."""
    query = select(Assessment).where(Assessment.cluster_id == cluster_id)
    return (await db.scalars(page(query, [Assessment.assessed_on, Assessment.id], after, limit))).all()


async def standings(db: ReadSession, cluster_id: UUID, today: date) -> list[Standing]:
    """Where a cluster stands today in every indicator with a valid score or a target."""
    given = (await db.scalars(select(Assessment).where(Assessment.cluster_id == cluster_id))).all()
    aims = (await db.scalars(select(Target).where(Target.cluster_id == cluster_id))).all()
    targets = {(one.framework, one.indicator): one for one in aims}
    levels: dict[tuple[str, str], Score] = {}
    for code in sorted({one.framework for one in given}):
        scores = (score for one in given if one.framework == code for score in one.single_scores())
        levels |= {(code, indicator): score for indicator, score in current(scores, today).items()}
    made_up = {one.id for one in given if one.illustrative}
    return [
        _standing(key, levels.get(key), targets.get(key), made_up) for key in sorted(levels.keys() | targets.keys())
    ]


def _standing(key: tuple[str, str], level: Score | None, target: Target | None, made_up: set[UUID]) -> Standing:
    from_level = level is not None and level.assessment_id in made_up
    return Standing(*key, level, target, from_level or (target is not None and target.illustrative))


async def requests(
    db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int
) -> Sequence[ServiceRequest]:
    """Service requests, oldest first."""
    query = select(ServiceRequest)
    if within is not None:
        query = query.where(ServiceRequest.consortium_id == within)
    return (await db.scalars(page(query, [ServiceRequest.id], after, limit))).all()
