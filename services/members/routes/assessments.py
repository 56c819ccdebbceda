"""`/clusters/{id}/assessments`."""

from datetime import date
from uuid import UUID

from services.members.commands import assessments as commands
from services.members.commands.assessments import NewAssessment
from services.members.commands.clusters import require_permission
from services.members.queries import assessments as queries
from services.members.queries.clusters import cluster
from services.members.rules.vocabulary import AssessmentKind
from shared import clock
from shared.auth import Anyone, Manager, Role
from shared.errors import Forbidden
from shared.web import Page, Paging, Read, ResponseModel, Router, Tx

router = Router(prefix="/clusters/{id}/assessments")


class AssessmentView(ResponseModel):
    """The scores of one cluster in one framework on one day."""

    id: UUID
    cluster_id: UUID
    framework: str
    kind: str
    assessed_on: date
    valid_until: date
    scores: dict[str, int]
    illustrative: bool


@router.post("", status_code=201)
async def record_assessment(caller: Manager, tx: Tx, id: UUID, body: NewAssessment) -> AssessmentView:
    """Record an assessment of the cluster. Only a coordinator records that of an expert or a peer."""
    await require_permission(tx, caller.speaks_for, id)
    if body.kind is not AssessmentKind.own and not caller.has(Role.coordinator, Role.operator):
        message = f"Only a coordinator records the assessment of an expert or a peer; this one is {body.kind.value}."
        raise Forbidden("not-your-kind", message, field="kind")
    assessment = await commands.record(tx, clock.new_id(), id, body, clock.now().date())
    return AssessmentView.model_validate(assessment)


@router.get("")
async def list_assessments(caller: Anyone, db: Read, id: UUID, paging: Paging) -> Page[AssessmentView]:
    """The cluster's assessments, oldest first."""
    await cluster(db, id, caller.within)
    rows = await queries.assessments(db, id, paging.after, paging.limit + 1)
    return paging.page(
        [AssessmentView.model_validate(row) for row in rows], lambda row: (row.assessed_on.isoformat(), row.id)
    )
