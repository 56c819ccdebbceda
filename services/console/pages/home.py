"""`/`: the consortium, what its clusters can teach and want to learn, and the newest events."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.matching import Pair
from services.console.api.models.members import Cluster, IndicatorStatus
from services.console.pages import pairs
from services.console.pages.feed import name_lookup, newest_events
from services.console.pages.trainings import ActivityCard, activity_cards
from services.console.request.page_context import PageContext, render_page
from services.console.request.private_fields import consortium_of
from services.console.view import formatting, labels
from services.console.view.charts.levels import gap
from services.console.view.event_text import feed_row
from shared import wording
from shared.auth import public
from shared.web import Router

MAX_INDICATORS = 3
"""Of each cluster, in each column of the table."""
MAX_EVENTS = 6
MAX_SEARCHED_EVENTS = 200
"""The newest events of all consortia, in which those of the page's consortium are searched."""
MAX_PAIRS = 3

router = Router(dependencies=[public()], include_in_schema=False)


class IndicatorLevel(NamedTuple):
    """An indicator and its level, out of `scale`; `target` is None unless there is a gap."""

    title: str
    level: int | None
    target: int | None
    scale: int


class SlotUsage(NamedTuple):
    """Taken slots and capacity of a cluster in one role."""

    used: int
    capacity: int


class ClusterRow(NamedTuple):
    """A cluster in the table."""

    cluster: Cluster
    href: str
    country: str
    sector: str
    teaches: list[IndicatorLevel]
    learns: list[IndicatorLevel]
    mentor_slots: SlotUsage
    learner_slots: SlotUsage


@router.get("/")
async def home(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """The consortium."""
    return await render_page(request, "home.html", consortium, _build)


async def _build(context: PageContext) -> dict[str, Any]:
    api = context.api
    levels, pair_cards, activities, (events, _) = await asyncio.gather(
        asyncio.gather(*(context.or_default(api.members.levels(cluster.id), []) for cluster in context.clusters)),
        pairs.pair_cards(context),
        context.or_default(api.trainings.activities(), []),
        newest_events(context, MAX_EVENTS if len(context.consortia) == 1 else MAX_SEARCHED_EVENTS),
    )
    own = context.consortium
    own_events = [event for event in events if own and consortium_of(event.event) == own.id][:MAX_EVENTS]
    all_pairs = [card.pair for card in pair_cards]
    names = name_lookup(context, activities)
    cards = await activity_cards(context, activities)
    return {
        "rows": [
            cluster_row(context, cluster, statuses, all_pairs)
            for cluster, statuses in zip(context.clusters, levels, strict=True)
        ],
        "countries": len({cluster.country for cluster in context.clusters}),
        "pairs": Counter(pair.state for pair in all_pairs),
        "best": [card for card in pair_cards if card.pair.state in {"proposed", "accepted"}][:MAX_PAIRS],
        "activities": cards,
        "completed": sum(card.activity.state == "completed" for card in cards),
        "latest": [feed_row(event, names, with_payload=False) for event in own_events],
        "illustrative": _illustrative_marks(context, [status for statuses in levels for status in statuses], cards),
    }


class IllustrativeMarks(NamedTuple):
    """Which values of the page are illustrative. `any` tells whether the page explains the mark."""

    all_levels: bool
    some_levels: bool
    capacities: bool
    any: bool


def _illustrative_marks(
    context: PageContext, statuses: Sequence[IndicatorStatus], cards: Sequence[ActivityCard]
) -> IllustrativeMarks:
    marks = [status.illustrative for status in statuses]
    facts = any(cluster.illustrative for cluster in context.clusters) or any(
        card.activity.illustrative for card in cards
    )
    capacities = any("mentor_capacity" in cluster.illustrative for cluster in context.clusters)
    return IllustrativeMarks(bool(marks) and all(marks), any(marks), capacities, facts or any(marks))


def cluster_row(
    context: PageContext, cluster: Cluster, statuses: Sequence[IndicatorStatus], all_pairs: Sequence[Pair]
) -> ClusterRow:
    return ClusterRow(
        cluster=cluster,
        href=context.href(f"/clusters/{cluster.slug}"),
        country=formatting.capitalized(wording.country(cluster.country)),
        sector=", ".join(labels.ECOSYSTEMS.get(code, formatting.title(code)) for code in cluster.ecosystems),
        teaches=[_level(context, status, None) for status in strengths(context, statuses)[:MAX_INDICATORS]],
        learns=[_level(context, status, status.target) for status in gaps(statuses)[:MAX_INDICATORS]],
        mentor_slots=SlotUsage(_accepted(all_pairs, cluster.id, "mentor_id"), cluster.mentor_capacity),
        learner_slots=SlotUsage(_accepted(all_pairs, cluster.id, "learner_id"), cluster.learner_capacity),
    )


def strengths(context: PageContext, statuses: Sequence[IndicatorStatus]) -> list[IndicatorStatus]:
    """What a cluster can teach: no gap, and in the upper half of the scale; the highest level first."""
    able = [
        status
        for status in statuses
        if status.level and not gap(status) and status.level * 2 > context.scale(status.framework)
    ]
    return sorted(able, key=lambda status: (-(status.level or 0) / context.scale(status.framework), status.indicator))


def gaps(statuses: Sequence[IndicatorStatus]) -> list[IndicatorStatus]:
    """What a cluster wants to learn; the greatest product of gap and priority first."""
    return sorted(
        (status for status in statuses if gap(status)),
        key=lambda status: (-gap(status) * (status.priority or 1), status.indicator),
    )


def _level(context: PageContext, status: IndicatorStatus, target: int | None) -> IndicatorLevel:
    title = context.indicator_title(status.framework, status.indicator)
    return IndicatorLevel(title, status.level, target, context.scale(status.framework))


def _accepted(all_pairs: Sequence[Pair], cluster: UUID, side: str) -> int:
    return sum(pair.state == "accepted" and getattr(pair, side) == cluster for pair in all_pairs)
