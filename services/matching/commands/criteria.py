"""Criteria sets: a draft may change until it is published; a published version never changes."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select

from services.matching.commands.locks import CRITERIA_VERSIONS, lock_consortium
from services.matching.rules.inputs.criteria import Criteria
from services.matching.tables import Cluster, CriteriaSet
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale


async def draft(tx: WriteSession, id: UUID, consortium_id: UUID, name: str, criteria: Criteria) -> CriteriaSet:
    """Add the next version of the criteria set with this name, as a draft.

    Raises:
        NotFound: no cluster of this consortium is known.
    """
    await lock_consortium(tx, CRITERIA_VERSIONS, consortium_id)
    if await tx.scalar(select(Cluster.id).where(Cluster.consortium_id == consortium_id).limit(1)) is None:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known.", field="consortium_id")
    same_name = (CriteriaSet.consortium_id == consortium_id, CriteriaSet.name == name)
    versions = await tx.scalar(select(func.count()).select_from(CriteriaSet).where(*same_name)) or 0
    data = criteria.model_dump(mode="json")
    criteria_set = CriteriaSet(
        id=id, consortium_id=consortium_id, name=name, number=versions + 1, state="draft", criteria=data, version=1
    )
    tx.add(criteria_set)
    await tx.flush()
    return criteria_set


async def change(
    tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool], criteria: Criteria
) -> CriteriaSet:
    """Replace the criteria of a draft.

    Raises:
        NotFound, Stale.
        Conflict: the set is published.
    """
    criteria_set = await _lock_draft(tx, id, expected_version, right)
    criteria_set.criteria = criteria.model_dump(mode="json")
    criteria_set.version += 1
    return criteria_set


async def publish(tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool]) -> CriteriaSet:
    """Publish a draft. From then on it cannot change, and runs can use it.

    Raises:
        NotFound, Stale.
        Conflict: the set is published already.
    """
    criteria_set = await _lock_draft(tx, id, expected_version, right)
    criteria_set.state = "published"
    criteria_set.version += 1
    return criteria_set


async def usable_criteria(tx: WriteSession, id: UUID, consortium_id: UUID, *, published: bool) -> Criteria:
    """The criteria of a set of a consortium; with `published` a draft is refused.

    Raises:
        NotFound: the consortium has no such set.
        Conflict: the set is a draft.
    """
    criteria_set = await tx.get(CriteriaSet, id)
    if criteria_set is None or criteria_set.consortium_id != consortium_id:
        raise NotFound("no-such-criteria", "There is no such criteria set.", field="criteria_set_id")
    if published and criteria_set.state != "published":
        raise Conflict("criteria-not-published", "A run needs a published criteria set; this one is a draft.")
    return Criteria.from_data(criteria_set.criteria)


async def _lock_draft(tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool]) -> CriteriaSet:
    criteria_set = await tx.scalar(select(CriteriaSet).where(CriteriaSet.id == id).with_for_update())
    if criteria_set is None or not right(criteria_set.consortium_id):
        raise NotFound("no-such-criteria", "There is no such criteria set.")
    if criteria_set.version != expected_version:
        raise Stale(
            "stale",
            f"The criteria set has changed since: it is at version {criteria_set.version}, not {expected_version}.",
        )
    if criteria_set.state != "draft":
        raise Conflict("criteria-published", "Published criteria cannot be changed. Draft the next version.")
    return criteria_set
