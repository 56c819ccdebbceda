"""`/clusters/{slug}`: the profile of a cluster, its levels and targets, pairs, mentorships, trainings and requests."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import Path, Query, Request
from fastapi.responses import HTMLResponse

from services.console.api.models.members import Cluster, IndicatorStatus, ServiceRequest
from services.console.api.models.mentorships import Mentorship
from services.console.pages import mentorships, pairs, trainings
from services.console.pages.home import cluster_row
from services.console.request.page_context import PageContext, render_page
from services.console.request.private_fields import may_read, without_text
from services.console.request.session import SignedInUser, signed_in_user
from services.console.view import formatting, labels
from services.console.view.charts import levels
from shared import wording
from shared.auth import public
from shared.errors import NotFound
from shared.web import Router

router = Router(dependencies=[public()], include_in_schema=False)


class ClusterFact(NamedTuple):
    """A line of the profile."""

    name: str
    value: str
    illustrative: bool
    href: str | None = None


class LevelRow(NamedTuple):
    """A row of the table with the same data as the chart."""

    title: str
    status: IndicatorStatus
    source: str
    priority: str


class FrameworkSection(NamedTuple):
    """The chart and the table of an assessment framework."""

    title: str
    scale: int
    chart: levels.LevelChart
    rows: list[LevelRow]

    @property
    def illustrative(self) -> bool:
        """Whether all levels are illustrative."""
        return all(row.status.illustrative for row in self.rows)


class RequestRow(NamedTuple):
    """A request for help."""

    indicator: str
    urgency: str
    request: ServiceRequest


@router.get("/clusters/{slug}")
async def cluster(
    request: Request,
    slug: Annotated[str, Path(max_length=100)],
    consortium: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One cluster of the consortium."""

    async def build(context: PageContext) -> dict[str, Any]:
        context.require("members")
        cluster = next((known for known in context.clusters if known.slug == slug), None)
        if cluster is None:
            raise NotFound("no-such-cluster", "There is no cluster of this name.")
        return await _build(context, cluster, signed_in_user(request))

    return await render_page(request, "cluster.html", consortium, build)


async def _build(context: PageContext, cluster: Cluster, user: SignedInUser | None) -> dict[str, Any]:
    api = context.api
    statuses, requests, pair_cards, activities, own_mentorships = await asyncio.gather(
        context.or_default(api.members.levels(cluster.id), []),
        context.or_default(api.members.requests(), []),
        pairs.pair_cards(context, cluster.id),
        context.or_default(api.trainings.activities(), []),
        context.or_default(api.matching.mentorships(cluster.id), []),
    )
    return {
        "cluster": cluster,
        "row": cluster_row(context, cluster, statuses, [card.pair for card in pair_cards]),
        "facts": cluster_facts(cluster),
        "sections": _sections(context, cluster, statuses),
        "cards": pair_cards,
        "mentorships": [mentorships.mentorship_card(context, mentorship) for mentorship in own_mentorships],
        "mentor_record": _mentor_record(cluster, own_mentorships),
        "activities": [
            card
            for card in await trainings.activity_cards(context, activities)
            if cluster.name in {card.host, *(guest.name for guest in (*card.seated, *card.waitlisted))}
        ],
        "requests": [
            _request_row(context, request if _reads_text(user, cluster, request, pair_cards) else without_text(request))
            for request in requests
            if request.cluster_id == cluster.id
        ],
        "illustrative": bool(cluster.illustrative) or any(status.illustrative for status in statuses),
    }


def _mentor_record(cluster: Cluster, own_mentorships: Sequence[Mentorship]) -> str:
    """Number and mean outcome of the confirmed mentorships as mentor."""
    outcomes = [
        mentorship.outcome
        for mentorship in own_mentorships
        if mentorship.mentor_id == cluster.id and mentorship.outcome is not None
    ]
    if not outcomes:
        return "No mentorship as mentor is confirmed yet."
    mean = sum(outcomes) / len(outcomes)
    number = wording.counted_in_words(len(outcomes), "confirmed mentorship")
    return f"As mentor: {number}, with {mean:.0f} of 100 of the planned gain."


def cluster_facts(cluster: Cluster) -> list[ClusterFact]:
    """The lines of the profile; unknown values are left out."""
    ecosystems = [labels.ECOSYSTEMS.get(code, formatting.title(code)) for code in cluster.ecosystems]
    languages = [wording.language(code) for code in cluster.languages]
    lines = [
        ("region", "Location", _location(cluster)),
        ("founded_on", "Founded", formatting.partial_date(cluster.founded_on) if cluster.founded_on else ""),
        ("ecosystems", "Sector", wording.listed(ecosystems)),
        ("value_chain_stages", "Value chain", formatting.capitalized(wording.listed(cluster.value_chain_stages))),
        ("languages", "Languages", wording.listed(languages)),
        ("label", "Label", _label(cluster)),
    ]
    facts = [ClusterFact(name, value, field in cluster.illustrative) for field, name, value in lines if value]
    if cluster.website:
        text = cluster.website.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
        facts.append(ClusterFact("Website", text, "website" in cluster.illustrative, cluster.website))
    return facts


def _location(cluster: Cluster) -> str:
    country = wording.country(cluster.country)
    return f"{cluster.region}, {country}" if cluster.region else formatting.capitalized(country)


def _label(cluster: Cluster) -> str:
    label = labels.LABELS.get(cluster.label, formatting.title(cluster.label))
    until = wording.day(cluster.label_valid_until) if cluster.label_valid_until else ""
    if cluster.label_expired:
        return f"{label}, expired on {until}"
    return f"{label}, valid until {until}" if until else label


def _sections(context: PageContext, cluster: Cluster, statuses: Sequence[IndicatorStatus]) -> list[FrameworkSection]:
    codes = list(dict.fromkeys(status.framework for status in statuses))
    titles = {framework.code: framework.title for framework in context.frameworks}
    sections = []
    for number, code in enumerate(codes):
        ordered = _in_framework_order(context, code, statuses)
        titled = [(context.indicator_title(code, status.indicator), status) for status in ordered]
        title, scale = titles.get(code, formatting.title(code)), context.scale(code)
        chart = levels.chart(f"levels-{number}", f"Levels and targets of {cluster.name}: {title}", scale, titled)
        sections.append(FrameworkSection(title, scale, chart, [_level_row(*pair) for pair in titled]))
    return sections


def _in_framework_order(context: PageContext, code: str, statuses: Sequence[IndicatorStatus]) -> list[IndicatorStatus]:
    """The statuses of one framework in the order of its indicators."""
    codes = [
        indicator.code
        for framework in context.frameworks
        if framework.code == code
        for indicator in framework.indicators
    ]
    index = {indicator: number for number, indicator in enumerate(codes)}
    own = [status for status in statuses if status.framework == code]
    return sorted(own, key=lambda status: index.get(status.indicator, len(index)))


def _level_row(title: str, status: IndicatorStatus) -> LevelRow:
    source = "Not assessed"
    if status.kind and status.assessed_on:
        kind = labels.ASSESSMENT_KINDS.get(status.kind, formatting.title(status.kind))
        source = f"{kind}, {wording.day(status.assessed_on)}"
    return LevelRow(title, status, source, labels.PRIORITIES.get(status.priority or 0, ""))


def _reads_text(
    user: SignedInUser | None, cluster: Cluster, request: ServiceRequest, cards: Sequence[pairs.PairCard]
) -> bool:
    """Whether the user may read the text of a request of the cluster; its proposed and accepted mentors may, too."""
    mentors = {
        card.pair.mentor_id
        for card in cards
        if card.pair.request_id == request.id and card.pair.state in {"proposed", "accepted"}
    }
    return may_read(user, cluster.consortium_id, {cluster.id, *mentors})


def _request_row(context: PageContext, request: ServiceRequest) -> RequestRow:
    title = context.indicator_title(request.framework, request.indicator)
    return RequestRow(title, labels.URGENCIES.get(request.urgency, ""), request)
