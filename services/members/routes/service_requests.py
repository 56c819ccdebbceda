"""`/requests`, and `/clusters/{id}/requests`: service requests."""

from uuid import UUID

from services.members.commands import service_requests as commands
from services.members.commands.clusters import require_permission
from services.members.commands.service_requests import NewServiceRequest
from services.members.queries import service_requests as queries
from shared import clock
from shared.auth import Anyone, Manager
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx

router = Router()


class ServiceRequestView(ResponseModel):
    """A cluster asks for help in an indicator."""

    id: UUID
    cluster_id: UUID
    consortium_id: UUID
    framework: str
    indicator: str
    urgency: int
    text: str
    state: str
    illustrative: bool


@router.post("/clusters/{id}/requests", status_code=201)
async def request_service(caller: Manager, tx: Tx, id: UUID, body: NewServiceRequest) -> ServiceRequestView:
    """Ask for help in an indicator."""
    await require_permission(tx, caller.speaks_for, id)
    request = await commands.request_service(tx, clock.new_id(), id, body)
    return ServiceRequestView.model_validate(request)


@router.get("/requests")
async def list_service_requests(caller: Anyone, db: Read, paging: Paging) -> Page[ServiceRequestView]:
    """The service requests of the caller's consortium, oldest first."""
    rows = await queries.service_requests(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([ServiceRequestView.model_validate(row) for row in rows], lambda row: (row.id,))
