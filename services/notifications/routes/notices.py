"""`/notices`: what the people of a cluster, or the coordinator, should hear of."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.notifications.commands import notices as commands
from services.notifications.queries import notices as queries
from shared import clock
from shared.auth import Manager, Principal, Role
from shared.errors import Forbidden
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx

router = Router(prefix="/notices")


class NoticeView(ResponseModel):
    """A notice."""

    id: UUID
    event_id: UUID
    consortium_id: UUID
    cluster_id: UUID | None = Field(description="whom it concerns; null: the coordinator")
    kind: str = Field(description="the event's entity and fact, such as `pair.proposed`")
    subjects: dict[str, UUID] = Field(description="what it is about, by the names of the event's fields")
    created_at: datetime
    read_at: datetime | None


def _scope(caller: Principal) -> tuple[UUID | None, UUID | None]:
    """The consortium and the cluster the caller is limited to; None for those who see all.

    Raises:
        Forbidden: the sign-in does not name what the caller acts for.
    """
    if caller.has(Role.operator):
        return None, None
    if caller.consortium is None:
        raise Forbidden("no-consortium", "Your sign-in names no consortium.")
    if caller.has(Role.coordinator):
        return caller.consortium, None
    if caller.cluster is None:
        raise Forbidden("no-cluster", "Your sign-in names no cluster.")
    return caller.consortium, caller.cluster


@router.get("")
async def list_notices(caller: Manager, db: Read, paging: Paging) -> Page[NoticeView]:
    """Notices, newest first: a manager's own cluster's, a coordinator's whole consortium's."""
    consortium, cluster = _scope(caller)
    rows = await queries.notices(db, paging.after, paging.limit + 1, consortium=consortium, cluster=cluster)
    return paging.page([NoticeView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.put("/{id}/read")
async def mark_read(caller: Manager, tx: Tx, id: UUID) -> NoticeView:
    """Say that a notice has been read."""
    consortium, cluster = _scope(caller)
    notice = await commands.mark_read(tx, id, clock.now(), consortium=consortium, cluster=cluster)
    return NoticeView.model_validate(notice)
