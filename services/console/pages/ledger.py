"""`/ledger`: who taught whom which indicator, to whom it was passed on, and the confirmed gains."""

import asyncio
import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.console.api.models.mentorships import LedgerEntry, Need
from services.console.api.public_client import LedgerFilter
from services.console.request.page_context import PageContext, load_context, render_page
from services.console.view import formatting, labels
from services.console.view.charts import europe, timeline
from services.console.view.truncation import truncate
from shared import clock, csv_export, wording
from shared.auth import public
from shared.dates import Day
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)

SOURCES = {"mentorship": "Mentorship"} | labels.ACTIVITY_KINDS
MAX_ROWS = 200
"""Entries on the page, the newest first; the download has all."""


class LedgerRow(NamedTuple):
    """An entry of the ledger as text."""

    entry: LedgerEntry
    teacher: str
    learner: str
    indicator: str
    source: str
    dates: str
    confirmed: str


class NeedRow(NamedTuple):
    """A need with the first level and the measures taken."""

    need: Need
    cluster: str
    indicator: str
    first: str
    measures: str


class LevelSum(NamedTuple):
    """Levels that were taught or learnt."""

    reported: int
    confirmed: str


class Balance(NamedTuple):
    """Levels that a cluster taught and learnt."""

    name: str
    taught: LevelSum
    learnt: LevelSum


class DownstreamRow(NamedTuple):
    """An entry by which the knowledge of a cluster was passed on."""

    row: LedgerRow
    distance: str


class LedgerQuery(NamedTuple):
    """The filter in the page's URL; empty fields do not filter."""

    cluster: str = ""
    skill: str = ""
    since: Day | Literal[""] = ""
    until: Day | Literal[""] = ""

    def api_filter(self, context: PageContext) -> LedgerFilter | None:
        """The filter for the API; None without a consortium.

        Raises:
            NotFound: the consortium has never had this cluster.
        """
        if context.consortium is None:
            return None
        cluster = next((known for known in context.clusters_with_archived if known.slug == self.cluster), None)
        if self.cluster and cluster is None:
            raise NotFound("no-such-cluster", "There is no cluster of this name.", field="cluster")
        framework, _, indicator = self.skill.partition("/")
        return LedgerFilter(
            context.consortium.id,
            cluster.id if cluster else None,
            framework or None,
            indicator or None,
            self.since or None,
            self.until or None,
        )

    @property
    def params(self) -> dict[str, object]:
        """The query parameters of the URL."""
        return {name: value for name, value in self._asdict().items() if value}


def _query(
    cluster: Annotated[str, Query(max_length=100)] = "",
    skill: Annotated[str, Query(max_length=161, pattern="^([^/]+/[^/]+)?$")] = "",
    since: Annotated[Day | Literal[""], Query()] = "",
    until: Annotated[Day | Literal[""], Query()] = "",
) -> LedgerQuery:
    return LedgerQuery(cluster, skill, since, until)


LedgerQueryParams = Annotated[LedgerQuery, Depends(_query)]


@router.get("/ledger")
async def ledger(
    request: Request, query: LedgerQueryParams, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The consortium's ledger, or a part of it."""

    async def build(context: PageContext) -> dict[str, Any]:
        chosen = query.api_filter(context)
        if chosen is None:
            return _page(context, query, None, [], []) | {"downstream": []}
        entries, needs, downstream = await asyncio.gather(
            context.or_default(context.api.matching.ledger(chosen), []),
            context.or_default(context.api.matching.needs(chosen.consortium_id, chosen.cluster_id), []),
            _downstream(context, chosen),
        )
        return _page(context, query, chosen, entries, needs) | {"downstream": downstream}

    return await render_page(request, "ledger.html", consortium, build)


@router.get("/ledger.csv")
async def download(
    request: Request, query: LedgerQueryParams, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> Response:
    """The same entries as a CSV file for spreadsheets."""
    context = await load_context(request.app.state.public_client, "/ledger", consortium)
    context.require("members")
    chosen = query.api_filter(context)
    if context.consortium is None or chosen is None:
        raise NotFound("no-such-consortium", "Choose a consortium.", field="consortium")
    text = await context.or_default(context.api.matching.ledger_csv(chosen), "")
    context.require("matching")
    headers = {"Content-Disposition": f'attachment; filename="ledger-{context.consortium.slug}.csv"'}
    table = csv_export.for_spreadsheets(csv.reader(io.StringIO(text)))
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


async def _downstream(context: PageContext, chosen: LedgerFilter) -> list[DownstreamRow]:
    """To whom the knowledge of the chosen cluster was passed on; the other fields are ignored."""
    if chosen.cluster_id is None:
        return []
    request = context.api.matching.downstream(chosen.consortium_id, chosen.cluster_id)
    return [
        DownstreamRow(ledger_row(context, step.line), _distance(step.depth))
        for step in await context.or_default(request, [])
    ]


def _distance(depth: int) -> str:
    return "directly" if depth == 1 else f"through {wording.counted_in_words(depth - 1, 'other')}"


def _page(
    context: PageContext,
    query: LedgerQuery,
    chosen: LedgerFilter | None,
    entries: Sequence[LedgerEntry],
    needs: Sequence[Need],
) -> dict[str, Any]:
    clusters = context.clusters_with_archived
    taught, learnt, between = (defaultdict[Any, list[LedgerEntry]](list) for _ in range(3))
    for entry in entries:
        taught[entry.teacher_id].append(entry)
        learnt[entry.learner_id].append(entry)
        between[entry.teacher_id, entry.learner_id].append(entry)
    rows = truncate([ledger_row(context, entry) for entry in reversed(entries)], max_lines=MAX_ROWS)
    return {
        "query": query,
        "cluster": context.cluster_name(chosen.cluster_id) if chosen and chosen.cluster_id else "",
        "rows": rows,
        "teachers": [cluster for cluster in clusters if cluster.id in taught],
        "learners": [cluster for cluster in clusters if cluster.id in learnt],
        "cells": {pair: _level_sum(group) for pair, group in between.items()},
        "balances": [
            Balance(cluster.name, _level_sum(taught.get(cluster.id, ())), _level_sum(learnt.get(cluster.id, ())))
            for cluster in clusters
            if cluster.id in taught or cluster.id in learnt
        ],
        "levels": levels(sum(entry.confirmed_hundredths or 0 for entry in entries)),
        "reported": sum(entry.reported for entry in entries),
        "unconfirmed": sum(entry.confirmed_hundredths is None for entry in entries),
        "map": europe.chart("map", clusters, [(entry.teacher_id, entry.learner_id) for entry in entries]),
        "timeline": timeline.chart("timeline", [_span(row) for row in rows.head], clock.now().date()),
        "needs": [_need_row(context, need) for need in needs if need.done and _matches(query, need)],
    }


def _matches(query: LedgerQuery, need: Need) -> bool:
    return query.skill in {"", f"{need.framework}/{need.indicator}"}


def _level_sum(entries: Sequence[LedgerEntry]) -> LevelSum:
    confirmed = sum(entry.confirmed_hundredths or 0 for entry in entries)
    return LevelSum(sum(entry.reported for entry in entries), levels(confirmed))


def ledger_row(context: PageContext, entry: LedgerEntry) -> LedgerRow:
    return LedgerRow(
        entry,
        context.cluster_name(entry.teacher_id),
        context.cluster_name(entry.learner_id),
        context.indicator_title(entry.framework, entry.indicator),
        _source(entry),
        wording.period(entry.began_on, entry.ended_on) if entry.ended_on else f"since {wording.day(entry.began_on)}",
        "not yet" if entry.confirmed_hundredths is None else levels(entry.confirmed_hundredths),
    )


def _source(entry: LedgerEntry) -> str:
    return SOURCES.get(entry.by, formatting.title(entry.by))


def levels(hundredths: int) -> str:
    """Hundredths of a level as levels: `1.33`, `2`."""
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def _span(row: LedgerRow) -> timeline.Span:
    label = f"{row.teacher} to {row.learner}: {row.indicator}"
    return timeline.Span(label, row.entry.began_on, row.entry.ended_on, bool(row.entry.confirmed_hundredths))


def _need_row(context: PageContext, need: Need) -> NeedRow:
    measures = [f"{_source(entry).lower()} with {context.cluster_name(entry.teacher_id)}" for entry in need.done]
    return NeedRow(
        need,
        context.cluster_name(need.cluster_id),
        context.indicator_title(need.framework, need.indicator),
        f"{need.first.level}" if need.first else "not assessed",
        formatting.capitalized(wording.listed(list(dict.fromkeys(measures)))),
    )
