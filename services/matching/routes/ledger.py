"""`/ledger`: who taught whom what, as a list, as a table for a spreadsheet, as balances, and where it went on."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BeforeValidator, Field

from services.matching.queries import ledger as queries
from services.matching.queries.ledger import LedgerFilter
from services.matching.rules.mentoring.ledger import LedgerLine, LedgerSide, Reading, balances, downstream
from shared.auth import Anyone, Principal
from shared.web import Page, Paging, Read, ResponseModel, Router

router = Router()
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
COLUMNS = "by,state,teacher,learner,framework,indicator,began_on,ended_on,planned,reported,level_before,level_after"


def _day(text: object) -> object:
    """Days come as 2017-06-29, and not as a count of seconds, which pydantic would take as well."""
    if isinstance(text, str) and not _DAY.fullmatch(text):
        raise ValueError("A day is written like 2017-06-29.")
    return text


Day = Annotated[date, BeforeValidator(_day)]


class ReadingView(ResponseModel):
    """A level as an assessment measured it."""

    on: date
    level: int


class LineView(ResponseModel):
    """One cluster taught another something. `planned` and `reported` are levels."""

    source_id: UUID = Field(description="the mentorship or the activity")
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
    before: ReadingView | None = Field(description="the assessment before its end")
    after: ReadingView | None = Field(description="the assessment that confirms it")
    confirmed_hundredths: int | None = Field(description="its share of the difference, in hundredths of a level")


class StepView(ResponseModel):
    """A line by which knowledge went on; `depth` 1 is from the cluster itself."""

    depth: int
    line: LineView


class Steps(ResponseModel):
    """All lines by which it went on."""

    items: list[StepView]


class SideView(ResponseModel):
    """What a cluster gave, or took."""

    lines: int
    reported: int = Field(description="levels")
    confirmed_hundredths: int = Field(description="hundredths of a level")


class BalanceView(ResponseModel):
    """A cluster's giving and taking."""

    cluster_id: UUID
    given: SideView
    taken: SideView


class Balances(ResponseModel):
    """Of all clusters that gave or took."""

    items: list[BalanceView]


def _scope(caller: Anyone, consortium_id: Annotated[UUID | None, Query()] = None) -> UUID | None:
    """The consortium that is asked for, or the caller's own; None is all of them, for who may see all."""
    principal: Principal = caller
    if consortium_id is not None:
        principal.enter(consortium_id)
    return consortium_id or principal.scope()


def _filter(
    cluster_id: Annotated[UUID | None, Query(description="on either side")] = None,
    teacher_id: Annotated[UUID | None, Query()] = None,
    learner_id: Annotated[UUID | None, Query()] = None,
    framework: Annotated[str | None, Query(max_length=80)] = None,
    indicator: Annotated[str | None, Query(max_length=80)] = None,
    since: Annotated[Day | None, Query(description="that ended on this day or later, or went on")] = None,
    until: Annotated[Day | None, Query(description="that ended on this day or before")] = None,
) -> LedgerFilter:
    return LedgerFilter(cluster_id, teacher_id, learner_id, framework, indicator, since, until)


Within = Annotated[UUID | None, Depends(_scope)]
Filter = Annotated[LedgerFilter, Depends(_filter)]


@router.get("/ledger")
async def show_ledger(caller: Anyone, db: Read, within: Within, wanted: Filter, paging: Paging) -> Page[LineView]:
    """Who taught whom what, by what, when, and what of it an assessment confirmed; in the order of days."""
    kept = [line for line in await queries.ledger_lines(db, within) if wanted.has(line)]
    if paging.after is not None:
        kept = [line for line in kept if _key(line) > tuple(paging.after)]
    return paging.page([line_view(one) for one in kept[: paging.limit + 1]], _key)


@router.get("/ledger.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_ledger(caller: Anyone, db: Read, within: Within, wanted: Filter) -> Response:
    """The same as a table for a spreadsheet: UTF-8, a line of names first."""
    names = await queries.cluster_names(db, within)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*COLUMNS.split(","), "confirmed_levels"])
    for line in await queries.ledger_lines(db, within):
        if wanted.has(line):
            table.writerow([_cell(one) for one in _row(line, names)])
    headers = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/ledger/balances")
async def show_balances(caller: Anyone, db: Read, within: Within, wanted: Filter) -> Balances:
    """What each cluster gave and took."""
    kept = [line for line in await queries.ledger_lines(db, within) if wanted.has(line)]
    sums = [BalanceView(cluster_id=id, given=_side(given), taken=_side(taken)) for id, given, taken in balances(kept)]
    return Balances(items=sums)


@router.get("/ledger/downstream/{cluster_id}")
async def show_downstream(caller: Anyone, db: Read, within: Within, cluster_id: UUID) -> Steps:
    """Where a cluster's knowledge went: whom it taught, whom those taught the same after that, and so on."""
    steps = downstream(await queries.ledger_lines(db, within), cluster_id)
    return Steps(items=[StepView(depth=step.depth, line=line_view(step.line)) for step in steps])


def _key(line: LedgerLine | LineView) -> tuple[str, UUID, UUID, str, str]:
    skill = line.skill if isinstance(line, LedgerLine) else (line.framework, line.indicator)
    return (line.ended_on or line.began_on).isoformat(), line.source_id, line.learner_id, *skill


def line_view(line: LedgerLine) -> LineView:
    names = ("source_id", "by", "state", "teacher_id", "learner_id", "began_on", "ended_on", "planned", "reported")
    values: dict[str, Any] = {name: getattr(line, name) for name in names} | line.skill._asdict()
    values |= {"before": reading_view(line.before), "after": reading_view(line.after)}
    return LineView(confirmed_hundredths=line.confirmed, **values)


def reading_view(reading: Reading | None) -> ReadingView | None:
    return None if reading is None else ReadingView(**reading._asdict())


def _side(side: LedgerSide) -> SideView:
    return SideView(lines=side.lines, reported=side.reported, confirmed_hundredths=side.confirmed)


def _row(line: LedgerLine, names: dict[UUID, str]) -> Sequence[object]:
    sides = [names.get(id, str(id)) for id in (line.teacher_id, line.learner_id)]
    levels = [None if one is None else one.level for one in (line.before, line.after)]
    confirmed = None if line.confirmed is None else f"{line.confirmed / 100:.2f}"
    days = (line.began_on, line.ended_on)
    return [line.by, line.state, *sides, *line.skill, *days, line.planned, line.reported, *levels, confirmed]


def _cell(value: object) -> str:
    """As text; what a spreadsheet would run is quoted."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
