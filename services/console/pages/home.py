"""`/`: the consortium, its clusters and what they can teach each other, and what happened last."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models import Cluster, Pair, Standing
from services.console.pages import pairs
from services.console.pages.feed import names, newest
from services.console.pages.trainings import ActivityCard, cards
from services.console.request.page_context import Visit, show
from services.console.view import labels
from services.console.view.event_text import happening
from shared.auth import public
from shared.web import Router

SKILLS = 3
"""Skills that are named of each cluster, at most."""
LATEST = 6
BEST = 3

router = Router(dependencies=[public()], include_in_schema=False)


class Skill(NamedTuple):
    """An indicator in words with its level, out of `scale`; `target` only where it is not reached."""

    name: str
    level: int | None
    target: int | None
    scale: int


class Places(NamedTuple):
    """How many pairs a cluster may have on one side, and how many it has."""

    used: int
    capacity: int


class Row(NamedTuple):
    """A cluster in the table."""

    cluster: Cluster
    href: str
    where: str
    sector: str
    teaches: list[Skill]
    learns: list[Skill]
    mentors: Places
    learners: Places


@router.get("/")
async def home(request: Request, consortium: Annotated[str | None, Query(max_length=100)] = None) -> HTMLResponse:
    """The consortium."""
    return await show(request, "home.html", consortium, _build)


async def _build(visit: Visit) -> dict[str, Any]:
    clients = visit.clients
    levels, shown_pairs, activities, (items, _) = await asyncio.gather(
        asyncio.gather(*(visit.ask(clients.standings(one.id), []) for one in visit.ours)),
        pairs.cards(visit),
        visit.ask(clients.activities(), []),
        newest(visit, LATEST),
    )
    standings = {one.id: known for one, known in zip(visit.ours, levels, strict=True)}
    known_pairs = [card.pair for card in shown_pairs]
    named = names(visit, activities)
    shown = await cards(visit, activities)
    return {
        "rows": [row(visit, one, standings[one.id], known_pairs) for one in visit.ours],
        "countries": len({one.country for one in visit.ours}),
        "pairs": Counter(pair.state for pair in known_pairs),
        "best": [card for card in shown_pairs if card.pair.state in {"proposed", "accepted"}][:BEST],
        "activities": shown,
        "completed": sum(1 for card in shown if card.activity.state == "completed"),
        "latest": [happening(item, named) for item in items],
        "made_up": _made_up(visit, [one for known in levels for one in known], shown),
    }


class MadeUp(NamedTuple):
    """Which values of the page have no public source. `noted` if there is any mark to be explained."""

    all: bool
    some: bool
    places: bool
    noted: bool


def _made_up(visit: Visit, levels: Sequence[Standing], shown: Sequence[ActivityCard]) -> MadeUp:
    marks = [one.illustrative for one in levels]
    facts = any(one.illustrative for one in visit.ours) or any(card.activity.illustrative for card in shown)
    places = any("mentor_capacity" in one.illustrative for one in visit.ours)
    return MadeUp(bool(marks) and all(marks), any(marks), places, facts or any(marks))


def row(visit: Visit, cluster: Cluster, standings: Sequence[Standing], known: Sequence[Pair]) -> Row:
    """A cluster as the table shows it."""
    return Row(
        cluster=cluster,
        href=visit.href(f"/clusters/{cluster.slug}"),
        where=labels.opening(labels.COUNTRIES.get(cluster.country, cluster.country)),
        sector=", ".join(labels.ECOSYSTEMS.get(one, labels.tidy(one)) for one in cluster.ecosystems),
        teaches=[_skill(visit, one, None) for one in strengths(visit, standings)[:SKILLS]],
        learns=[_skill(visit, one, one.target) for one in needs(standings)[:SKILLS]],
        mentors=Places(_accepted(known, cluster.id, "mentor_id"), cluster.mentor_capacity),
        learners=Places(_accepted(known, cluster.id, "learner_id"), cluster.learner_capacity),
    )


def strengths(visit: Visit, standings: Sequence[Standing]) -> list[Standing]:
    """What a cluster can teach: at or above its own target, in the upper half of the scale; the highest first."""
    able = [one for one in standings if one.level and not one.gap and one.level * 2 > visit.scale(one.framework)]
    return sorted(able, key=lambda one: (-(one.level or 0) / visit.scale(one.framework), one.indicator))


def needs(standings: Sequence[Standing]) -> list[Standing]:
    """What a cluster wants to learn: below its target; what matters most first."""
    return sorted(
        (one for one in standings if one.gap), key=lambda one: (-one.gap * (one.priority or 1), one.indicator)
    )


def _skill(visit: Visit, one: Standing, target: int | None) -> Skill:
    return Skill(visit.skill(one.framework, one.indicator), one.level, target, visit.scale(one.framework))


def _accepted(known: Sequence[Pair], cluster: UUID, side: str) -> int:
    return sum(1 for pair in known if pair.state == "accepted" and getattr(pair, side) == cluster)
