"""`/ledger`: who taught whom which indicator, as a list, as CSV, as balances, and downstream."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import Field

from services.matching.queries import ledger as queries
from services.matching.queries.ledger import LedgerFilter
from services.matching.rules.mentoring.ledger import LedgerLine, LedgerSide, Reading, balances, downstream
from shared import csv_export
from shared.auth import Anyone, Principal
from shared.dates import Day
from shared.web import Page, Paging, Read, ResponseModel, Router

router = Router()
COLUMNS = "by,state,teacher,learner,framework,indicator,began_on,ended_on,planned,reported,level_before,level_after"


class ReadingView(ResponseModel):
    """A level that an assessment measured."""

    on: date
    level: int


class LineView(ResponseModel):
    """A line of the ledger: one cluster taught another an indicator. `planned` and `reported` are levels."""

    source_id: UUID = Field(description="id of the mentorship or activity")
    by: str = Field(description="mentorship, joint_training, study_visit, peer_review or matchmaking")
    state: str
    teacher_id: UUID
    learner_id: UUID
    framework: str
    indicator: str
    began_on: date
    ended_on: date | None
    planned: int
    reported: int
    before: ReadingView | None = Field(description="the last assessment before the end of the line")
    after: ReadingView | None = Field(
        description="the first assessment on the day of the end or later, which confirms the line"
    )
    confirmed_hundredths: int | None = Field(
        description="the line's share of the gain between them, in hundredths of a level"
    )


class StepView(ResponseModel):
    """A line by which knowledge spread; at `depth` 1 the cluster itself taught."""

    depth: int
    line: LineView


class Steps(ResponseModel):
    """All lines by which the knowledge of a cluster spread."""

    items: list[StepView]


class SideView(ResponseModel):
    """The sums of the lines in which a cluster taught, or learned."""

    lines: int
    reported: int = Field(description="levels")
    confirmed_hundredths: int = Field(description="hundredths of a level")


class BalanceView(ResponseModel):
    """What a cluster gave (as teacher) and took (as learner)."""

    cluster_id: UUID
    given: SideView
    taken: SideView


class Balances(ResponseModel):
    """The balances of all clusters that gave or took."""

    items: list[BalanceView]


def _scope(caller: Anyone, consortium_id: Annotated[UUID | None, Query()] = None) -> UUID | None:
    """The requested consortium, or the caller's own; None, for all, if the caller may see all."""
    principal: Principal = caller
    if consortium_id is not None:
        principal.enter(consortium_id)
    return consortium_id or principal.scope()


def _filter(
    cluster_id: Annotated[UUID | None, Query(description="as teacher or learner")] = None,
    teacher_id: Annotated[UUID | None, Query()] = None,
    learner_id: Annotated[UUID | None, Query()] = None,
    framework: Annotated[str | None, Query(max_length=80)] = None,
    indicator: Annotated[str | None, Query(max_length=80)] = None,
    since: Annotated[
        Day | None, Query(description="lines that ended on this day or later; without an end, that began then")
    ] = None,
    until: Annotated[
        Day | None, Query(description="lines that ended on this day or before; without an end, that began then")
    ] = None,
) -> LedgerFilter:
    return LedgerFilter(cluster_id, teacher_id, learner_id, framework, indicator, since, until)


Within = Annotated[UUID | None, Depends(_scope)]
Filter = Annotated[LedgerFilter, Depends(_filter)]


@router.get("/ledger")
async def show_ledger(caller: Anyone, db: Read, within: Within, conditions: Filter, paging: Paging) -> Page[LineView]:
    """The lines of the ledger with planned, reported and confirmed gains, in the order of days."""
    lines = [line for line in await queries.ledger_lines(db, within) if conditions.matches(line)]
    if paging.after is not None:
        lines = [line for line in lines if _key(line) > tuple(paging.after)]
    return paging.page([line_view(line) for line in lines[: paging.limit + 1]], _key)


@router.get("/ledger.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_ledger(caller: Anyone, db: Read, within: Within, conditions: Filter) -> Response:
    """The same as CSV for a spreadsheet: UTF-8, with column names in the first line."""
    names = await queries.cluster_names(db, within)
    lines = await queries.ledger_lines(db, within)
    head = [*COLUMNS.split(","), "confirmed_levels"]
    text = csv_export.for_programs([head, *(_row(line, names) for line in lines if conditions.matches(line))])
    headers = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/ledger/balances")
async def show_balances(caller: Anyone, db: Read, within: Within, conditions: Filter) -> Balances:
    """The sums of what each cluster gave and took."""
    lines = [line for line in await queries.ledger_lines(db, within) if conditions.matches(line)]
    items = [
        BalanceView(cluster_id=balance.cluster_id, given=_side_view(balance.given), taken=_side_view(balance.taken))
        for balance in balances(lines)
    ]
    return Balances(items=items)


@router.get("/ledger/downstream/{cluster_id}")
async def show_downstream(caller: Anyone, db: Read, within: Within, cluster_id: UUID) -> Steps:
    """How knowledge spread: whom the cluster taught, whom those taught the same skill later, and so on."""
    steps = downstream(await queries.ledger_lines(db, within), cluster_id)
    return Steps(items=[StepView(depth=step.depth, line=line_view(step.line)) for step in steps])


def _key(line: LedgerLine | LineView) -> tuple[str, UUID, UUID, str, str]:
    skill = line.skill if isinstance(line, LedgerLine) else (line.framework, line.indicator)
    return (line.ended_on or line.began_on).isoformat(), line.source_id, line.learner_id, *skill


def line_view(line: LedgerLine) -> LineView:
    return LineView(
        source_id=line.source_id,
        by=line.by,
        state=line.state,
        teacher_id=line.teacher_id,
        learner_id=line.learner_id,
        framework=line.skill.framework,
        indicator=line.skill.indicator,
        began_on=line.began_on,
        ended_on=line.ended_on,
        planned=line.planned,
        reported=line.reported,
        before=reading_view(line.before),
        after=reading_view(line.after),
        confirmed_hundredths=line.confirmed,
    )


def reading_view(reading: Reading | None) -> ReadingView | None:
    return None if reading is None else ReadingView(on=reading.on, level=reading.level)


def _side_view(side: LedgerSide) -> SideView:
    return SideView(lines=side.lines, reported=side.reported, confirmed_hundredths=side.confirmed)


def _row(line: LedgerLine, names: dict[UUID, str]) -> Sequence[object]:
    sides = [names.get(id, str(id)) for id in (line.teacher_id, line.learner_id)]
    levels = [None if reading is None else reading.level for reading in (line.before, line.after)]
    confirmed = None if line.confirmed is None else f"{line.confirmed / 100:.2f}"
    days = (line.began_on, line.ended_on)
    return [line.by, line.state, *sides, *line.skill, *days, line.planned, line.reported, *levels, confirmed]
