"""`/ledger`: who taught whom what, where it went, and what assessments confirm of it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, Response

from services.console import words
from services.console.charts import europe, timeline
from services.console.learning import Line, Need
from services.console.models import Cluster
from services.console.visit import Visit, enter, show
from shared import clock
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

BY = {"mentorship": "Mentorship"} | words.ACTIVITY_KINDS
NEWEST = 200
"""Lines that the page lists; the download has all."""


class Row(NamedTuple):
    """A line of the ledger in words."""

    line: Line
    teacher: str
    learner: str
    skill: str
    by: str
    when: str
    confirmed: str


class Way(NamedTuple):
    """A need in words: from its gap to the level now."""

    need: Need
    cluster: str
    skill: str
    first: str
    done: str


class Cell(NamedTuple):
    """What one cluster taught another, in levels."""

    lines: int
    reported: int
    confirmed: str


@router.get("/ledger")
async def ledger(
    request: Request,
    cluster: Annotated[str | None, Query(max_length=100)] = None,
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """The consortium's ledger, or one cluster's part of it."""

    async def build(visit: Visit) -> dict[str, Any]:
        chosen = next((one for one in visit.ours if one.slug == cluster), None)
        return _page(visit, *await _asked(visit, chosen), chosen)

    return await show(request, "ledger.html", consortium, build)


@router.get("/ledger.csv")
async def download(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> Response:
    """All lines of the consortium as a table for a spreadsheet."""
    visit = await enter(request.app.state.clients, "/ledger", consortium)
    visit.need("members")
    if visit.consortium is None:
        raise NotFound("no-such-consortium", "Say which consortium.", field="consortium")
    text = await visit.ask(visit.clients.ledger_csv(visit.consortium.id), "")
    visit.need("matching")
    headers = {"Content-Disposition": f'attachment; filename="ledger-{visit.consortium.slug}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


async def _asked(visit: Visit, chosen: Cluster | None) -> tuple[list[Line], list[Need]]:
    """What there is of the consortium, or of the one cluster."""
    if visit.consortium is None:
        return [], []
    here, one = visit.consortium.id, chosen.id if chosen else None
    return await asyncio.gather(
        visit.ask(visit.clients.ledger(here, one), []), visit.ask(visit.clients.needs(here, one), [])
    )


def _page(visit: Visit, lines: Sequence[Line], needs: Sequence[Need], chosen: Cluster | None) -> dict[str, Any]:
    ever = visit.ever_ours
    teachers = [one for one in ever if any(line.teacher_id == one.id for line in lines)]
    learners = [one for one in ever if any(line.learner_id == one.id for line in lines)]
    there = [one for one in ever if not one.archived or one in teachers or one in learners]
    rows = [row(visit, line) for line in reversed(lines)]
    today = clock.now().date()
    return {
        "chosen": chosen,
        "rows": rows[:NEWEST],
        "more": max(len(rows) - NEWEST, 0),
        "teachers": teachers,
        "learners": learners,
        "cells": {(one.id, other.id): _cell(lines, one.id, other.id) for one in teachers for other in learners},
        "levels": levels(sum(line.confirmed_hundredths or 0 for line in lines)),
        "reported": sum(line.reported for line in lines),
        "open": sum(line.confirmed_hundredths is None for line in lines),
        "map": europe.chart("map", there, [(line.teacher_id, line.learner_id) for line in lines]),
        "timeline": timeline.chart("timeline", [_bar(one) for one in rows[:NEWEST]], today),
        "ways": [_way(visit, need) for need in needs if need.done],
    }


def row(visit: Visit, line: Line) -> Row:
    """A line in words."""
    until = line.ended_on
    when = words.days(line.began_on, until) if until else f"since {words.day(line.began_on)}"
    confirmed = "not yet" if line.confirmed_hundredths is None else levels(line.confirmed_hundredths)
    skill = visit.skill(line.framework, line.indicator)
    by = BY.get(line.by, words.tidy(line.by))
    return Row(line, visit.name(line.teacher_id), visit.name(line.learner_id), skill, by, when, confirmed)


def levels(hundredths: int) -> str:
    """Hundredths of a level as levels: `1.33`, `2`."""
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def _bar(one: Row) -> timeline.Span:
    label = f"{one.teacher} to {one.learner}: {one.skill}"
    return timeline.Span(label, one.line.began_on, one.line.ended_on, bool(one.line.confirmed_hundredths))


def _cell(lines: Sequence[Line], teacher: UUID, learner: UUID) -> Cell:
    those = [line for line in lines if (line.teacher_id, line.learner_id) == (teacher, learner)]
    confirmed = sum(line.confirmed_hundredths or 0 for line in those)
    return Cell(len(those), sum(line.reported for line in those), levels(confirmed))


def _way(visit: Visit, need: Need) -> Way:
    first = f"{need.first.level}" if need.first else "not assessed"
    done = [f"{BY.get(line.by, words.tidy(line.by)).lower()} with {visit.name(line.teacher_id)}" for line in need.done]
    return Way(
        need,
        visit.name(need.cluster_id),
        visit.skill(need.framework, need.indicator),
        first,
        words.opening(words.listed(list(dict.fromkeys(done)))),
    )
