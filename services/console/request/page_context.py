"""What every page needs: the consortium it is about, its clusters by name, and a note of each service that is away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.console.api.models import Cluster, Consortium, Framework
from services.console.api.public_client import Away, Clients
from services.console.view import labels, templating
from shared.errors import NotFound
from shared.web import ProblemError

T = TypeVar("T")

SERVICES = {
    "members": "Clusters, levels and targets",
    "trainings": "Trainings and visits",
    "matching": "Pairs and mentorships",
    "notifications": "The feed",
}
"""What is missing on a page when a service is away, as people call it."""


@dataclass
class Visit:
    """One person looking at one page."""

    clients: Clients
    path: str
    consortia: Sequence[Consortium] = ()
    clusters: Sequence[Cluster] = ()
    frameworks: Sequence[Framework] = ()
    consortium: Consortium | None = None
    away: list[str] = field(default_factory=list)

    async def ask(self, question: Awaitable[T], otherwise: T) -> T:
        """The answer, or `otherwise` with a note that the service is away."""
        try:
            return await question
        except Away as away:
            self.note(away)
            return otherwise

    def note(self, away: Away) -> None:
        """Say on the page that the service is away."""
        if away.service not in self.away:
            self.away.append(away.service)

    def need(self, service: str) -> None:
        """Refuse to show a page that makes no sense without the service.

        Raises:
            Refusal: 503; it is away.
        """
        if service in self.away:
            detail = f"{SERVICES[service]} cannot be read just now. This usually passes within a minute."
            raise ProblemError(503, "unavailable", detail, headers={"Retry-After": "5"})

    @property
    def ours(self) -> list[Cluster]:
        """The clusters of the consortium that have not left."""
        return [one for one in self.ever_ours if not one.archived]

    @property
    def ever_ours(self) -> list[Cluster]:
        """The clusters of the consortium, also those that have left: what they did there stays."""
        return [one for one in self.clusters if self.consortium and one.consortium_id == self.consortium.id]

    def name(self, cluster: UUID) -> str:
        """A cluster in words."""
        known = self._known.get(cluster)
        return known.name if known else "A cluster"

    @cached_property
    def _known(self) -> dict[UUID, Cluster]:
        return {one.id: one for one in self.clusters}

    def skill(self, framework: str, indicator: str) -> str:
        """An indicator in words."""
        for one in self.frameworks:
            if one.code == framework:
                for known in one.indicators:
                    if known.code == indicator:
                        return known.title
        return labels.tidy(indicator)

    def scale(self, framework: str) -> int:
        """The highest level of a framework."""
        return next((one.scale_max for one in self.frameworks if one.code == framework), 5)

    def href(self, path: str, **query: object) -> str:
        """An address of the console, with the consortium where there is more than one."""
        if self.consortium and len(self.consortia) > 1:
            query["consortium"] = self.consortium.slug
        return f"{path}?{urlencode(query)}" if query else path

    def cluster_href(self, cluster: UUID) -> str | None:
        """The page of a cluster of the consortium."""
        known = self._known.get(cluster)
        if known is None or known.archived or self.consortium is None or known.consortium_id != self.consortium.id:
            return None
        return self.href(f"/clusters/{known.slug}")

    async def newest(self) -> int | None:
        """The newest position of the feed, from which on the page can watch for changes; None if it cannot."""
        try:
            return await self.clients.feed_end()
        except Away:
            return None

    def notices(self) -> list[str]:
        """What is missing, in words."""
        return [SERVICES[service] for service in SERVICES if service in self.away]


async def enter(clients: Clients, path: str, slug: str | None) -> Visit:
    """Begin a visit: the consortium by its slug, or the only one.

    Raises:
        NotFound: no consortium has this slug.
    """
    visit = Visit(clients, path)
    visit.consortia, visit.clusters, visit.frameworks = await asyncio.gather(
        visit.ask(clients.consortia(), []),
        visit.ask(clients.clusters(), []),
        visit.ask(clients.frameworks(), []),
    )
    if slug is not None and "members" not in visit.away:
        visit.consortium = next((one for one in visit.consortia if one.slug == slug), None)
        if visit.consortium is None:
            raise NotFound("no-such-consortium", "There is no consortium of this name.", field="consortium")
    elif len(visit.consortia) == 1:
        visit.consortium = visit.consortia[0]
    return visit


Build = Callable[[Visit], Awaitable[dict[str, Any]]]


async def show(request: Request, template: str, slug: str | None, build: Build) -> HTMLResponse:
    """The page, or the list of consortia to choose from."""
    visit = await enter(request.app.state.clients, request.url.path, slug)
    if visit.consortium is None and visit.consortia:
        return templating.page(request.scope, "choose.html", {"visit": visit, "nav": visit.path})
    values = await build(visit)
    return templating.page(request.scope, template, {"visit": visit, "nav": visit.path, **values})
