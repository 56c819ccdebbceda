"""`/clusters/{slug}`: one cluster: the facts, where it stands and where it wants to be, its pairs and trainings."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Path, Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.mentorship_models import Mentorship
from services.console.api.models import Cluster, ServiceRequest, Standing
from services.console.pages import mentorships, pairs, trainings
from services.console.pages.home import row
from services.console.request.page_context import Visit, show
from services.console.view import labels
from services.console.view.charts import levels
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)


class Fact(NamedTuple):
    """Something known of the cluster. `made_up` if it has no public source."""

    name: str
    value: str
    made_up: bool
    href: str | None = None


class Level(NamedTuple):
    """A line of the table that says what the chart shows."""

    name: str
    standing: Standing
    source: str
    priority: str


class Block(NamedTuple):
    """A framework: its chart and its table."""

    title: str
    scale: int
    chart: levels.LevelChart
    lines: list[Level]

    @property
    def made_up(self) -> bool:
        """Whether none of it has a public source."""
        return all(line.standing.illustrative for line in self.lines)


class Asked(NamedTuple):
    """A request for help in words."""

    skill: str
    urgency: str
    request: ServiceRequest


@router.get("/clusters/{slug}")
async def cluster(
    request: Request,
    slug: Annotated[str, Path(max_length=100)],
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One cluster of the consortium."""

    async def build(visit: Visit) -> dict[str, Any]:
        visit.need("members")
        found = next((one for one in visit.ours if one.slug == slug), None)
        if found is None:
            raise NotFound("no-such-cluster", "There is no cluster of this name.")
        return await _build(visit, found)

    return await show(request, "cluster.html", consortium, build)


async def _build(visit: Visit, one: Cluster) -> dict[str, Any]:
    clients = visit.clients
    standings, requests, cards, activities, found = await asyncio.gather(
        visit.ask(clients.standings(one.id), []),
        visit.ask(clients.requests(), []),
        pairs.cards(visit, one.id),
        visit.ask(clients.activities(), []),
        visit.ask(clients.mentorships(one.id), []),
    )
    shown = await trainings.cards(visit, activities)
    name = one.name
    return {
        "cluster": one,
        "row": row(visit, one, standings, [card.pair for card in cards]),
        "facts": facts(one),
        "blocks": _blocks(visit, one, standings),
        "cards": cards,
        "mentorships": [mentorships.card(visit, each) for each in found],
        "record": _record(one, found),
        "activities": [
            card
            for card in shown
            if card.host == name or any(guest.name == name for guest in (*card.seated, *card.waiting))
        ],
        "requests": [_asked(visit, ask) for ask in requests if ask.cluster_id == one.id],
        "made_up": bool(one.illustrative) or any(known.illustrative for known in standings),
    }


def _record(one: Cluster, found: Sequence[Mentorship]) -> str:
    """How its mentorships as mentor came out, as far as assessments have confirmed it."""
    outcomes = [each.outcome for each in found if each.mentor_id == one.id and each.outcome is not None]
    if not outcomes:
        return "No mentorship of it as mentor is confirmed yet."
    mean = sum(outcomes) / len(outcomes)
    times = labels.counted(len(outcomes), "confirmed mentorship")
    return f"As mentor it has {times}, with {mean:.0f} of 100 of what was wanted."


def facts(one: Cluster) -> list[Fact]:
    """What is known of a cluster, in words; what is not known is left out."""
    found = [
        ("region", "Where", _where(one)),
        ("founded_on", "Founded", labels.partial_date(one.founded_on) if one.founded_on else ""),
        ("ecosystems", "Sector", labels.listed([labels.ECOSYSTEMS.get(e, labels.tidy(e)) for e in one.ecosystems])),
        ("value_chain_stages", "Value chain", labels.opening(labels.listed(one.value_chain_stages))),
        ("languages", "Works in", labels.listed([labels.LANGUAGES.get(code, code) for code in one.languages])),
        ("label", "Label", _label(one)),
    ]
    rows = [Fact(name, value, field in one.illustrative) for field, name, value in found if value]
    if one.website:
        shown = one.website.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
        rows.append(Fact("Website", shown, "website" in one.illustrative, one.website))
    return rows


def _where(one: Cluster) -> str:
    country = labels.COUNTRIES.get(one.country, one.country)
    return f"{one.region}, {country}" if one.region else labels.opening(country)


def _label(one: Cluster) -> str:
    label = labels.LABELS.get(one.label, labels.tidy(one.label))
    until = labels.day(one.label_valid_until) if one.label_valid_until else ""
    if one.label_expired:
        return f"{label}, expired on {until}"
    return f"{label}, valid until {until}" if until else label


def _blocks(visit: Visit, one: Cluster, standings: Sequence[Standing]) -> list[Block]:
    codes = list(dict.fromkeys(known.framework for known in standings))
    titles = {framework.code: framework.title for framework in visit.frameworks}
    blocks = []
    for number, code in enumerate(codes):
        named = [(visit.skill(code, known.indicator), known) for known in _ordered(visit, code, standings)]
        title = titles.get(code, labels.tidy(code))
        chart = levels.chart(f"levels-{number}", f"Levels and targets of {one.name}: {title}", visit.scale(code), named)
        blocks.append(Block(title, visit.scale(code), chart, [_level(name, known) for name, known in named]))
    return blocks


def _ordered(visit: Visit, code: str, standings: Sequence[Standing]) -> list[Standing]:
    """The framework's standings in its own order."""
    order = [one.code for framework in visit.frameworks if framework.code == code for one in framework.indicators]
    place = {indicator: number for number, indicator in enumerate(order)}
    mine = [known for known in standings if known.framework == code]
    return sorted(mine, key=lambda known: place.get(known.indicator, len(place)))


def _level(name: str, known: Standing) -> Level:
    source = "Not assessed"
    if known.kind and known.assessed_on:
        source = f"{labels.KINDS.get(known.kind, labels.tidy(known.kind))}, {labels.day(known.assessed_on)}"
    return Level(name, known, source, labels.PRIORITIES.get(known.priority or 0, ""))


def _asked(visit: Visit, ask: ServiceRequest) -> Asked:
    return Asked(visit.skill(ask.framework, ask.indicator), labels.URGENCIES.get(ask.urgency, ""), ask)
