"""`/frameworks`."""

from services.members.commands import frameworks as commands
from services.members.commands.frameworks import NewFramework
from services.members.queries import frameworks as queries
from shared.auth import Anyone, Operator
from shared.web import Page, Paging, Read, ResponseModel, Router, Slug, Tx

router = Router(prefix="/frameworks")


class IndicatorView(ResponseModel):
    """One competence that a framework measures."""

    code: str
    title: str
    area: str | None


class FrameworkView(ResponseModel):
    """A versioned list of indicators with a scale."""

    code: str
    title: str
    scale_max: int
    indicators: list[IndicatorView]


@router.post("", status_code=201)
async def add_framework(caller: Operator, tx: Tx, body: NewFramework) -> FrameworkView:
    """Add an assessment framework. To add an equal one again is no error."""
    return FrameworkView.model_validate(await commands.add(tx, body))


@router.get("")
async def list_frameworks(caller: Anyone, db: Read, paging: Paging) -> Page[FrameworkView]:
    """The assessment frameworks."""
    rows = await queries.frameworks(db, paging.after, paging.limit + 1)
    return paging.page([FrameworkView.model_validate(row) for row in rows], lambda row: (row.code,))


@router.get("/{code}")
async def show_framework(caller: Anyone, db: Read, code: Slug) -> FrameworkView:
    """One assessment framework."""
    return FrameworkView.model_validate(await queries.framework(db, code))
