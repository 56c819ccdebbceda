"""`/notices`: notes for the people of a cluster, or for the coordinator, that an event concerns them."""

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
    """A note for a cluster, or for the coordinator, that an event concerns it."""

    id: UUID
    event_id: UUID
    consortium_id: UUID
    cluster_id: UUID | None = Field(description="the cluster that it is for; null: the coordinator")
    kind: str = Field(description="the event's entity and fact, such as `pair.proposed`")
    subjects: dict[str, UUID] = Field(description="ids from the event, by the names of its fields")
    created_at: datetime
    read_at: datetime | None


def _scope(caller: Principal) -> tuple[UUID | None, UUID | None]:
    """The consortium and the cluster whose notices the caller may see; None means all.

    Raises:
        Forbidden: the sign-in names no consortium, or no cluster.
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
    """Notices, newest first: for a manager those of the own cluster, for a coordinator those of the consortium."""
    consortium, cluster = _scope(caller)
    rows = await queries.notices(db, paging.after, paging.limit + 1, consortium=consortium, cluster=cluster)
    return paging.page([NoticeView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.put("/{id}/read")
async def mark_read(caller: Manager, tx: Tx, id: UUID) -> NoticeView:
    """Mark a notice as read."""
    consortium, cluster = _scope(caller)
    notice = await commands.mark_read(tx, id, clock.now(), consortium=consortium, cluster=cluster)
    return NoticeView.model_validate(notice)
