"""What every page needs: its consortium, the names of clusters and indicators, and which services are unavailable."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.console.api.models.members import Cluster, Consortium, Framework
from services.console.api.public_client import PublicClient
from services.console.request.session import keep_consortium, last_consortium, signed_in_user
from services.console.view import formatting, templating
from shared.api_client import ServiceUnavailable
from shared.errors import NotFound
from shared.web import ProblemError

T = TypeVar("T")

SERVICE_TITLES = {
    "members": "Clusters, levels and targets",
    "trainings": "Trainings and visits",
    "matching": "Pairs and mentorships",
    "notifications": "The feed",
}
"""The part of a page that is missing while a service is unavailable."""


@dataclass
class PageContext:
    """One request for a page.

    Args:
        api: reads the services.
        path: of the page.
        consortia: all of them.
        all_clusters: of all consortia, also archived ones.
        frameworks: all assessment frameworks.
        consortium: the one that the page is about.
        unavailable: services that gave no usable response.
    """

    api: PublicClient
    path: str
    consortia: Sequence[Consortium] = ()
    all_clusters: Sequence[Cluster] = ()
    frameworks: Sequence[Framework] = ()
    consortium: Consortium | None = None
    unavailable: list[str] = field(default_factory=list)

    async def or_default(self, request: Awaitable[T], default: T) -> T:
        """The result of a request, or `default` with a notice on the page if the service is unavailable."""
        try:
            return await request
        except ServiceUnavailable as error:
            if error.service not in self.unavailable:
                self.unavailable.append(error.service)
            return default

    def require(self, service: str) -> None:
        """Refuse to show a page that is of no use without the service.

        Raises:
            ProblemError: 503; the service is unavailable.
        """
        if service in self.unavailable:
            detail = f"{SERVICE_TITLES[service]} cannot be read just now. This usually passes within a minute."
            raise ProblemError(503, "unavailable", detail, headers={"Retry-After": "5"})

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters of the consortium without archived ones."""
        return [cluster for cluster in self.clusters_with_archived if not cluster.archived]

    @property
    def clusters_with_archived(self) -> list[Cluster]:
        """The clusters of the consortium, also archived ones, whose entries in the ledger remain."""
        if self.consortium is None:
            return []
        return [cluster for cluster in self.all_clusters if cluster.consortium_id == self.consortium.id]

    def cluster_name(self, id: UUID) -> str:
        cluster = self._clusters_by_id.get(id)
        return cluster.name if cluster else "A cluster"

    @cached_property
    def _clusters_by_id(self) -> dict[UUID, Cluster]:
        return {cluster.id: cluster for cluster in self.all_clusters}

    def indicator_title(self, framework: str, indicator: str) -> str:
        return self._indicator_titles.get((framework, indicator), formatting.title(indicator))

    @cached_property
    def _indicator_titles(self) -> dict[tuple[str, str], str]:
        return {
            (framework.code, indicator.code): indicator.title
            for framework in self.frameworks
            for indicator in framework.indicators
        }

    def scale(self, framework: str) -> int:
        """The highest level of a framework."""
        return next((known.scale_max for known in self.frameworks if known.code == framework), 5)

    def href(self, path: str, **query: object) -> str:
        """A URL of the console, with the consortium if there are several."""
        if self.consortium and len(self.consortia) > 1:
            query["consortium"] = self.consortium.slug
        return f"{path}?{urlencode(query)}" if query else path

    def cluster_href(self, id: UUID) -> str | None:
        """The page of a cluster; None if it is archived or of another consortium."""
        cluster = self._clusters_by_id.get(id)
        if cluster is None or cluster.archived or self.consortium is None:
            return None
        return self.href(f"/clusters/{cluster.slug}") if cluster.consortium_id == self.consortium.id else None

    async def feed_position(self) -> int | None:
        """The newest position of the feed, after which the page watches for changes; None if it is not known."""
        try:
            return await self.api.notifications.feed_head()
        except ServiceUnavailable:
            return None

    def missing_parts(self) -> list[str]:
        """What is missing on the page because services are unavailable."""
        return [title for service, title in SERVICE_TITLES.items() if service in self.unavailable]


async def load_context(
    api: PublicClient, path: str, slug: str | None, own: UUID | None = None, last: str | None = None
) -> PageContext:
    """The context with the consortium of this slug, else the only one, else the user's `own`, else that chosen `last`.

    Raises:
        NotFound: no consortium has this slug.
    """
    context = PageContext(api, path)
    context.consortia, context.all_clusters, context.frameworks = await asyncio.gather(
        context.or_default(api.members.consortia(), []),
        context.or_default(api.members.clusters(), []),
        context.or_default(api.members.frameworks(), []),
    )
    if slug is not None and "members" not in context.unavailable:
        context.consortium = next((known for known in context.consortia if known.slug == slug), None)
        if context.consortium is None:
            raise NotFound("no-such-consortium", "There is no consortium of this name.", field="consortium")
    elif len(context.consortia) == 1:
        context.consortium = context.consortia[0]
    else:
        by_id = {known.id: known for known in context.consortia}
        by_slug = {known.slug: known for known in context.consortia}
        context.consortium = by_id.get(own) if own else by_slug.get(last or "")
    return context


Build = Callable[[PageContext], Awaitable[dict[str, Any]]]


async def render_page(
    request: Request, template: str, slug: str | None, build: Build, *, of_consortium: bool = True
) -> HTMLResponse:
    """The page with the values that `build` returns, or a choice of consortia if it is not known which one is meant.

    A page that is not `of_consortium` is about an object, and `build` sets the consortium of the object.
    """
    user = signed_in_user(request)
    own = user.principal.consortium if user else None
    last = last_consortium(request)
    context = await load_context(request.app.state.public_client, request.url.path, slug, own, last)
    if of_consortium and context.consortium is None and context.consortia:
        return templating.page(request.scope, "choose.html", {"context": context, "nav": context.path})
    values = await build(context)
    page = templating.page(request.scope, template, {"context": context, "nav": context.path, **values})
    if slug is not None and context.consortium is not None and len(context.consortia) > 1:
        keep_consortium(request, page, context.consortium.slug)
    return page
