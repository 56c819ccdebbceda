"""`/ledger`: who taught whom what, where it went, and what assessments confirm of it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.console.api.mentorship_models import Line, Need, Wanted
from services.console.request.page_context import Visit, enter, show
from services.console.view import labels
from services.console.view.charts import europe, timeline
from services.console.view.truncation import cut
from shared import clock
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

BY = {"mentorship": "Mentorship"} | labels.ACTIVITY_KINDS
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


class Side(NamedTuple):
    """What was given or taken, in levels."""

    reported: int
    confirmed: str


class Balance(NamedTuple):
    """Giving and taking of a cluster."""

    name: str
    given: Side
    taken: Side


class Onward(NamedTuple):
    """A line by which a cluster's knowledge went on."""

    row: Row
    how: str


class Chosen(NamedTuple):
    """What the page is narrowed down to; the form's fields that are left empty are empty here."""

    cluster: str = ""
    skill: str = ""
    since: date | Literal[""] = ""
    until: date | Literal[""] = ""

    def of(self, visit: Visit) -> Wanted | None:
        """As the ledger is asked; None where there is no consortium.

        Raises:
            NotFound: the consortium has never had this cluster.
        """
        if visit.consortium is None:
            return None
        one = next((one for one in visit.ever_ours if one.slug == self.cluster), None)
        if self.cluster and one is None:
            raise NotFound("no-such-cluster", "There is no cluster of this name.", field="cluster")
        framework, _, indicator = self.skill.partition("/")
        return Wanted(
            visit.consortium.id,
            one.id if one else None,
            framework or None,
            indicator or None,
            self.since or None,
            self.until or None,
        )

    @property
    def query(self) -> dict[str, object]:
        """What of it is in the address of the page."""
        return {name: value for name, value in self._asdict().items() if value}


def _chosen(
    cluster: Annotated[str, Query(max_length=100)] = "",
    skill: Annotated[str, Query(max_length=161, pattern="^([^/]+/[^/]+)?$")] = "",
    since: Annotated[date | Literal[""], Query()] = "",
    until: Annotated[date | Literal[""], Query()] = "",
) -> Chosen:
    return Chosen(cluster, skill, since, until)


Narrowed = Annotated[Chosen, Depends(_chosen)]


@router.get("/ledger")
async def ledger(
    request: Request, chosen: Narrowed, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The consortium's ledger, or a part of it."""

    async def build(visit: Visit) -> dict[str, Any]:
        wanted = chosen.of(visit)
        if wanted is None:
            return _page(visit, chosen, None, [], []) | {"onward": []}
        lines, needs, onward = await asyncio.gather(
            visit.ask(visit.clients.ledger(wanted), []),
            visit.ask(visit.clients.needs(wanted.consortium_id, wanted.cluster_id), []),
            _onward(visit, wanted),
        )
        return _page(visit, chosen, wanted, lines, needs) | {"onward": onward}

    return await show(request, "ledger.html", consortium, build)


@router.get("/ledger.csv")
async def download(
    request: Request, chosen: Narrowed, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> Response:
    """The same lines as a table for a spreadsheet."""
    visit = await enter(request.app.state.clients, "/ledger", consortium)
    visit.need("members")
    wanted = chosen.of(visit)
    if visit.consortium is None or wanted is None:
        raise NotFound("no-such-consortium", "Say which consortium.", field="consortium")
    text = await visit.ask(visit.clients.ledger_csv(wanted), "")
    visit.need("matching")
    headers = {"Content-Disposition": f'attachment; filename="ledger-{visit.consortium.slug}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


async def _onward(visit: Visit, wanted: Wanted) -> list[Onward]:
    """Where the one cluster's knowledge went, whatever else is chosen."""
    if wanted.cluster_id is None:
        return []
    steps = await visit.ask(visit.clients.downstream(wanted.consortium_id, wanted.cluster_id), [])
    return [Onward(row(visit, step.line), _how(step.depth)) for step in steps]


def _how(depth: int) -> str:
    return "directly" if depth == 1 else f"through {labels.counted(depth - 1, 'other')}"


def _page(
    visit: Visit, chosen: Chosen, wanted: Wanted | None, lines: Sequence[Line], needs: Sequence[Need]
) -> dict[str, Any]:
    ever = visit.ever_ours
    given, taken, between = (defaultdict[Any, list[Line]](list) for _ in range(3))
    for line in lines:
        given[line.teacher_id].append(line)
        taken[line.learner_id].append(line)
        between[line.teacher_id, line.learner_id].append(line)
    teachers = [one for one in ever if one.id in given]
    learners = [one for one in ever if one.id in taken]
    rows = cut([row(visit, line) for line in reversed(lines)], longest=NEWEST)
    today = clock.now().date()
    return {
        "chosen": chosen,
        "cluster": visit.name(wanted.cluster_id) if wanted and wanted.cluster_id else "",
        "rows": rows,
        "teachers": teachers,
        "learners": learners,
        "cells": {two: _side(those) for two, those in between.items()},
        "balances": [
            Balance(one.name, _side(given.get(one.id, ())), _side(taken.get(one.id, ())))
            for one in ever
            if one.id in given or one.id in taken
        ],
        "levels": levels(sum(line.confirmed_hundredths or 0 for line in lines)),
        "reported": sum(line.reported for line in lines),
        "open": sum(line.confirmed_hundredths is None for line in lines),
        "map": europe.chart("map", ever, [(line.teacher_id, line.learner_id) for line in lines]),
        "timeline": timeline.chart("timeline", [_bar(one) for one in rows.head], today),
        "ways": [_way(visit, need) for need in needs if need.done and _fits(chosen, need)],
    }


def _fits(chosen: Chosen, need: Need) -> bool:
    return chosen.skill in {"", f"{need.framework}/{need.indicator}"}


def _side(lines: Sequence[Line]) -> Side:
    confirmed = sum(line.confirmed_hundredths or 0 for line in lines)
    return Side(sum(line.reported for line in lines), levels(confirmed))


def row(visit: Visit, line: Line) -> Row:
    """A line in words."""
    until = line.ended_on
    when = labels.days(line.began_on, until) if until else f"since {labels.day(line.began_on)}"
    confirmed = "not yet" if line.confirmed_hundredths is None else levels(line.confirmed_hundredths)
    skill = visit.skill(line.framework, line.indicator)
    by = BY.get(line.by, labels.tidy(line.by))
    return Row(line, visit.name(line.teacher_id), visit.name(line.learner_id), skill, by, when, confirmed)


def levels(hundredths: int) -> str:
    """Hundredths of a level as levels: `1.33`, `2`."""
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def _bar(one: Row) -> timeline.Span:
    label = f"{one.teacher} to {one.learner}: {one.skill}"
    return timeline.Span(label, one.line.began_on, one.line.ended_on, bool(one.line.confirmed_hundredths))


def _way(visit: Visit, need: Need) -> Way:
    first = f"{need.first.level}" if need.first else "not assessed"
    done = [f"{BY.get(line.by, labels.tidy(line.by)).lower()} with {visit.name(line.teacher_id)}" for line in need.done]
    return Way(
        need,
        visit.name(need.cluster_id),
        visit.skill(need.framework, need.indicator),
        first,
        labels.opening(labels.listed(list(dict.fromkeys(done)))),
    )
