"""Criteria sets: drafted, changed while they are drafts, published, then as they are for good."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import func, select

from services.matching.commands.locks import CRITERIA_VERSIONS, lock_consortium
from services.matching.rules.inputs.criteria import Criteria
from services.matching.tables import Cluster, CriteriaSet
from shared.db import WriteSession
from shared.errors import Conflict, NotFound, Stale


async def draft(tx: WriteSession, id: UUID, consortium_id: UUID, name: str, criteria: Criteria) -> CriteriaSet:
    """The next version under a name.

    Raises:
        NotFound: no cluster of that consortium is known.
    """
    await lock_consortium(tx, CRITERIA_VERSIONS, consortium_id)
    if await tx.scalar(select(Cluster.id).where(Cluster.consortium_id == consortium_id).limit(1)) is None:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    same = (CriteriaSet.consortium_id == consortium_id, CriteriaSet.name == name)
    number = await tx.scalar(select(func.count()).select_from(CriteriaSet).where(*same)) or 0
    data = criteria.model_dump(mode="json")
    made = CriteriaSet(
        id=id, consortium_id=consortium_id, name=name, number=number + 1, state="draft", criteria=data, version=1
    )
    tx.add(made)
    await tx.flush()
    return made


async def change(
    tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool], criteria: Criteria
) -> CriteriaSet:
    """Put other criteria into a draft.

    Raises:
        NotFound, Stale.
        Conflict: it is published.
    """
    found = await _lock_draft(tx, id, expected_version, right)
    found.criteria = criteria.model_dump(mode="json")
    found.version += 1
    return found


async def publish(tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool]) -> CriteriaSet:
    """Let runs use a draft, which is not changed any more.

    Raises:
        NotFound, Stale.
        Conflict: it is published already.
    """
    found = await _lock_draft(tx, id, expected_version, right)
    found.state = "published"
    found.version += 1
    return found


async def usable_criteria(tx: WriteSession, id: UUID, consortium_id: UUID, *, published: bool) -> Criteria:
    """The criteria of a consortium's set, which has to be `published` if so asked.

    Raises:
        NotFound: the consortium has no such set.
        Conflict: it is a draft.
    """
    found = await tx.get(CriteriaSet, id)
    if found is None or found.consortium_id != consortium_id:
        raise NotFound("no-such-criteria", "There is no such criteria set.", field="criteria_set_id")
    if published and found.state != "published":
        raise Conflict("criteria-not-published", "A run is made by published criteria; this set is a draft.")
    return Criteria.from_data(found.criteria)


async def _lock_draft(tx: WriteSession, id: UUID, expected_version: int, right: Callable[[UUID], bool]) -> CriteriaSet:
    found = await tx.scalar(select(CriteriaSet).where(CriteriaSet.id == id).with_for_update())
    if found is None or not right(found.consortium_id):
        raise NotFound("no-such-criteria", "There is no such criteria set.")
    if found.version != expected_version:
        raise Stale(
            "stale", f"The criteria have changed since: they are at version {found.version}, not {expected_version}."
        )
    if found.state != "draft":
        raise Conflict("criteria-published", "Published criteria are never changed. Draft the next version.")
    return found
