"""Reads the services for the public pages, with the console's own token of the role service."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import httpx2
import structlog
from pydantic import BaseModel, Field, ValidationError

from services.console.api.models.matching import Explanation, Pair, Plan, Run, RunDetails, WhatIf, WhatIfDetails
from services.console.api.models.members import (
    Cluster,
    Consortium,
    Framework,
    IndicatorStatus,
    IndicatorStatusList,
    ServiceRequest,
)
from services.console.api.models.mentorships import (
    DownstreamEntries,
    DownstreamEntry,
    LedgerEntry,
    Mentorship,
    Need,
    NeedList,
    Recommendations,
)
from services.console.api.models.notifications import FeedEvent, FeedHead, FeedPage
from services.console.api.models.trainings import Activity, Registration
from shared.api_client import ApiClient, ApiError, ApiModel, Params, ServiceUnavailable

TIMEOUT_SECONDS = 5.0
"""For one request."""
MAX_PAGES = 50
"""Pages read of a list; no page of the console shows more."""
MAX_STREAMS = 500
"""Browsers with an open live feed; further ones reload the page to see news."""

M = TypeVar("M", bound=BaseModel)


class LedgerFilter(NamedTuple):
    """Entries of a consortium: of a cluster on either side, of an indicator, of a period."""

    consortium_id: UUID
    cluster_id: UUID | None = None
    framework: str | None = None
    indicator: str | None = None
    since: date | None = None
    until: date | None = None


class CriteriaSchema(ApiModel):
    """The JSON Schema of criteria."""

    definitions: dict[str, Any] = Field(alias="$defs")

    @property
    def default_weights(self) -> dict[str, int]:
        weights = self.definitions["Weights"]["properties"]
        return {term: schema["default"] for term, schema in weights.items()}


_log = structlog.get_logger(__name__)


class NotFoundError(ServiceUnavailable):
    """The service responds that there is no such resource."""


class ServiceReader:
    """GET requests to one service.

    Args:
        client: of all services.
        token: gives a valid bearer token; called for each request.
    """

    service: str

    def __init__(self, client: ApiClient, token: Callable[[], str]) -> None:
        self._client, self._token = client, token

    async def _get(self, path: str, model: type[M], params: Params | None = None) -> M:
        with self._refusals(path):
            return await self._client.get(self._token(), self.service, path, model, params)

    async def _find(self, path: str, model: type[M]) -> M | None:
        """The resource, or None if there is none."""
        try:
            return await self._get(path, model)
        except NotFoundError:
            return None

    async def _list(self, path: str, model: type[M], params: Params | None = None) -> list[M]:
        """The items of a paged list, up to `MAX_PAGES` pages."""
        with self._refusals(path):
            items = await self._client.items(self._token(), self.service, path, params, max_pages=MAX_PAGES)
            return [model.model_validate(item) for item in items]

    async def _text(self, path: str, params: Params) -> str:
        with self._refusals(path):
            return (await self._client.request(self._token(), "GET", self.service, path, params=dict(params))).text

    @contextmanager
    def _refusals(self, path: str) -> Iterator[None]:
        """Raise every way to get no usable response as ServiceUnavailable."""
        try:
            yield
        except (ApiError, ServiceUnavailable, ValidationError) as error:
            if isinstance(error, ApiError) and error.status == httpx2.codes.NOT_FOUND:
                raise NotFoundError(self.service, f"has no {path}") from error
            _log.warning("service request failed", service=self.service, path=path, reason=str(error)[:300])
            if isinstance(error, ServiceUnavailable):
                raise
            raise ServiceUnavailable(self.service, str(error)) from error


class MembersReader(ServiceReader):
    """Consortia, clusters, levels and requests for help."""

    service = "members"

    async def consortia(self) -> list[Consortium]:
        return await self._list("/consortia", Consortium)

    async def clusters(self) -> list[Cluster]:
        return await self._list("/clusters", Cluster)

    async def frameworks(self) -> list[Framework]:
        return await self._list("/frameworks", Framework)

    async def levels(self, cluster: UUID) -> list[IndicatorStatus]:
        """Level and target of a cluster in each indicator."""
        return (await self._get(f"/clusters/{cluster}/levels", IndicatorStatusList)).items

    async def requests(self) -> list[ServiceRequest]:
        return await self._list("/requests", ServiceRequest)


class TrainingsReader(ServiceReader):
    """Activities and who registered for them."""

    service = "trainings"

    async def activities(self) -> list[Activity]:
        return await self._list("/activities", Activity)

    async def registrations(self, activity: UUID) -> list[Registration]:
        return await self._list(f"/activities/{activity}/registrations", Registration)


class MatchingReader(ServiceReader):
    """Pairs, mentorships, the ledger, runs and what-ifs."""

    service = "matching"

    async def pairs(self) -> list[Pair]:
        return await self._list("/pairs", Pair)

    async def runs(self) -> list[Run]:
        return await self._list("/runs", Run)

    async def run(self, id: UUID) -> Run | None:
        details = await self._find(f"/runs/{id}", RunDetails)
        return details.run if details else None

    async def plan(self, id: UUID) -> Plan | None:
        """The plan of a run; None before it is solved, and after it is deleted."""
        return await self._find(f"/runs/{id}/plan", Plan)

    async def explanation(self, run: UUID, learner: UUID) -> Explanation | None:
        """The alternates of a learner in the plan of a run; None if the learner is not in the plan input."""
        return await self._find(f"/runs/{run}/explanations/{learner}", Explanation)

    async def what_ifs(self) -> list[WhatIf]:
        return await self._list("/what-ifs", WhatIf)

    async def what_if(self, id: UUID) -> WhatIfDetails | None:
        return await self._find(f"/what-ifs/{id}", WhatIfDetails)

    async def default_weights(self) -> dict[str, int]:
        """The weight of each score term in the default criteria."""
        return (await self._get("/criteria-schema", CriteriaSchema)).default_weights

    async def mentorships(self, cluster: UUID | None = None) -> list[Mentorship]:
        """All mentorships, or those of one cluster."""
        return await self._list("/mentorships", Mentorship, _params(cluster=cluster))

    async def mentorship(self, id: UUID) -> Mentorship | None:
        return await self._find(f"/mentorships/{id}", Mentorship)

    async def ledger(self, filter: LedgerFilter) -> list[LedgerEntry]:  # noqa: A002  it shadows nothing used here
        """The entries of the ledger, by date."""
        return await self._list("/ledger", LedgerEntry, _params(**filter._asdict()))

    async def ledger_csv(self, filter: LedgerFilter) -> str:  # noqa: A002  as above
        return await self._text("/ledger.csv", _params(**filter._asdict()))

    async def downstream(self, consortium: UUID, cluster: UUID) -> list[DownstreamEntry]:
        """To which clusters the knowledge of a cluster was passed on."""
        params = _params(consortium_id=consortium)
        return (await self._get(f"/ledger/downstream/{cluster}", DownstreamEntries, params)).items

    async def needs(self, consortium: UUID, cluster: UUID | None = None) -> list[Need]:
        """The gaps of a consortium's clusters, or of one of them, with what was done about each."""
        return (await self._get("/needs", NeedList, _params(consortium_id=consortium, cluster_id=cluster))).items

    async def recommendations(self, consortium: UUID) -> Recommendations:
        return await self._get("/recommendations", Recommendations, _params(consortium_id=consortium))


class NotificationsReader(ServiceReader):
    """The partner feed.

    Args:
        client: of all services.
        streams: the same with connections of its own, so that open live feeds do not block requests of pages.
        token: gives a valid bearer token.
    """

    service = "notifications"

    def __init__(self, client: ApiClient, streams: ApiClient, token: Callable[[], str]) -> None:
        super().__init__(client, token)
        self._streams = streams

    async def feed_head(self) -> int:
        """The newest position of the feed, 0 before the first event."""
        return (await self._get("/feed/head", FeedHead)).position

    async def feed(self, after: int, limit: int) -> list[FeedEvent]:
        """The events with positions above `after`, in order."""
        return (await self._get("/feed", FeedPage, {"after": after, "limit": limit})).items

    async def feed_stream(self, after: int) -> AsyncIterator[FeedEvent]:
        """The events above `after` as they are published, until the service ends the stream.

        Raises:
            ServiceUnavailable: there is no stream, or it broke.
        """
        with self._refusals("/feed/stream"):
            async for position, event in self._streams.events(self._token(), self.service, "/feed/stream", after):
                yield FeedEvent.model_validate({"position": position, "event": event})


class PublicClient:
    """All services, with a token of the role service.

    Args:
        base_url: the services stand below it.
        token: gives a valid bearer token; called for each request.
    """

    def __init__(self, base_url: str, token: Callable[[], str]) -> None:
        self._http, self._streams_http = _http(100), _http(MAX_STREAMS)
        client = ApiClient(self._http, base_url, timeout=TIMEOUT_SECONDS)
        streams = ApiClient(self._streams_http, base_url, timeout=TIMEOUT_SECONDS)
        self.members = MembersReader(client, token)
        self.trainings = TrainingsReader(client, token)
        self.matching = MatchingReader(client, token)
        self.notifications = NotificationsReader(client, streams, token)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        await self._streams_http.aclose()


def _params(**values: UUID | str | date | None) -> Params:
    """The query parameters that are set."""
    return {name: str(value) for name, value in values.items() if value is not None}


def _http(connections: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=20)
    return httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)
