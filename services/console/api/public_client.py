"""How the console asks the services: with deadlines, page after page, and one word for every way to get no answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date
from typing import TypeVar
from uuid import UUID

import httpx2
import structlog
from pydantic import BaseModel, ValidationError

from services.console.api.mentorship_models import Line, Mentorship, Need, Needs, Recommendations, Step, Steps, Wanted
from services.console.api.models import (
    Activity,
    Cluster,
    Consortium,
    FeedHead,
    FeedItem,
    FeedPage,
    Framework,
    Page,
    Pair,
    Registration,
    Run,
    ServiceRequest,
    Standing,
    Standings,
)
from services.console.api.plan_models import CriteriaSchema, Draft, Explanation, Plan, WhatIf, WhatIfInFull, WholeRun

DEADLINE = 5.0
"""Seconds for one request."""
PAGE = 100
MAX_PAGES = 50
"""A list longer than `PAGE * MAX_PAGES` is cut: no page shows more, and a service that never ends must not hold us."""

MAX_STREAMS = 500
"""People who watch the live feed at once. Others see it by reloading the page."""

A = TypeVar("A", bound=BaseModel)
Params = Mapping[str, str | int]

_log = structlog.get_logger(__name__)


class Away(Exception):
    """A service gave no answer that can be used: unreachable, too slow, refusing or unreadable."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service


class Missing(Away):
    """A service answers, and there is no such thing."""


class Clients:
    """The services by their questions.

    Args:
        base: the address they stand below.
        token: gives a valid bearer token, asked anew for each request.
    """

    def __init__(self, base: str, token: Callable[[], str]) -> None:
        self._token = token
        self._base = base.rstrip("/")
        self._client = _client(100)
        self._streams = _client(MAX_STREAMS)  # apart, so that people who watch the feed keep nobody from a page

    async def close(self) -> None:
        """Give up all connections."""
        await self._client.aclose()
        await self._streams.aclose()

    async def consortia(self) -> list[Consortium]:
        return await self._all("members", "/consortia", Consortium)

    async def clusters(self) -> list[Cluster]:
        return await self._all("members", "/clusters", Cluster)

    async def frameworks(self) -> list[Framework]:
        return await self._all("members", "/frameworks", Framework)

    async def standings(self, cluster: UUID) -> list[Standing]:
        return (await self._one("members", f"/clusters/{cluster}/levels", Standings)).items

    async def requests(self) -> list[ServiceRequest]:
        return await self._all("members", "/requests", ServiceRequest)

    async def pairs(self) -> list[Pair]:
        return await self._all("matching", "/pairs", Pair)

    async def runs(self) -> list[Run]:
        return await self._all("matching", "/runs", Run)

    async def mentorships(self, cluster: UUID | None = None) -> list[Mentorship]:
        """All of them, or those of one cluster."""
        return await self._all("matching", "/mentorships", Mentorship, _given(cluster=cluster))

    async def mentorship(self, id: UUID) -> Mentorship | None:
        """One mentorship; None if there is none of this id."""
        return await self._found("matching", f"/mentorships/{id}", Mentorship)

    async def ledger(self, wanted: Wanted) -> list[Line]:
        """Who taught whom what, in the order of days."""
        return await self._all("matching", "/ledger", Line, _given(**wanted._asdict()))

    async def ledger_csv(self, wanted: Wanted) -> str:
        """The same as a table for a spreadsheet."""
        return (await self._reply("matching", "/ledger.csv", _given(**wanted._asdict()))).text

    async def downstream(self, consortium: UUID, cluster: UUID) -> list[Step]:
        """Where a cluster's knowledge went on to."""
        path = f"/ledger/downstream/{cluster}"
        return (await self._one("matching", path, Steps, _given(consortium_id=consortium))).items

    async def needs(self, consortium: UUID, cluster: UUID | None = None) -> list[Need]:
        """From each gap of a consortium's clusters, or of one of them, to its new level."""
        wanted = _given(consortium_id=consortium, cluster_id=cluster)
        return (await self._one("matching", "/needs", Needs, wanted)).items

    async def recommendations(self, consortium: UUID) -> Recommendations:
        """What the clusters of a consortium should do next."""
        return await self._one("matching", "/recommendations", Recommendations, {"consortium_id": str(consortium)})

    async def drafts(self) -> list[Draft]:
        """Every run with its figures."""
        return await self._all("matching", "/runs", Draft)

    async def run(self, id: UUID) -> Draft | None:
        """One run; None if there is none of this id."""
        found = await self._found("matching", f"/runs/{id}", WholeRun)
        return found.run if found else None

    async def plan(self, id: UUID) -> Plan | None:
        """The plan of a run; None if there is none yet, or any more."""
        return await self._found("matching", f"/runs/{id}/plan", Plan)

    async def explanation(self, run: UUID, learner: UUID) -> Explanation | None:
        """A learner's alternates in the plan of a run; None if it was not planned for."""
        return await self._found("matching", f"/runs/{run}/explanations/{learner}", Explanation)

    async def what_ifs(self) -> list[WhatIf]:
        return await self._all("matching", "/what-ifs", WhatIf)

    async def what_if(self, id: UUID) -> WhatIfInFull | None:
        """One what-if; None if there is none of this id."""
        return await self._found("matching", f"/what-ifs/{id}", WhatIfInFull)

    async def weights(self) -> dict[str, int]:
        """What each term of a score counts where a consortium begins."""
        return (await self._one("matching", "/criteria-schema", CriteriaSchema)).weights

    async def activities(self) -> list[Activity]:
        return await self._all("trainings", "/activities", Activity)

    async def registrations(self, activity: UUID) -> list[Registration]:
        return await self._all("trainings", f"/activities/{activity}/registrations", Registration)

    async def feed_end(self) -> int:
        """The newest position of the partner feed, 0 before the first event."""
        return (await self._one("notifications", "/feed/head", FeedHead)).position

    async def feed(self, after: int, limit: int) -> list[FeedItem]:
        """The events of the partner feed with positions above `after`, in order."""
        return (await self._one("notifications", "/feed", FeedPage, {"after": after, "limit": limit})).items

    async def feed_stream(self, after: int) -> AsyncIterator[FeedItem]:
        """The events above `after` as they come, until the service ends the stream.

        Raises:
            Away: there is no stream, or it broke.
        """
        headers = self._headers({"Last-Event-ID": str(after)})
        timeout = httpx2.Timeout(DEADLINE, read=None)
        try:
            async with self._streams.sse(
                f"{self._base}/notifications/feed/stream", headers=headers, timeout=timeout
            ) as on:
                if on.response.status_code != httpx2.codes.OK:
                    raise Away("notifications", f"status {on.response.status_code}")
                async for event in on:
                    if event.id and event.data:
                        yield FeedItem.model_validate({"position": event.id, "event": event.json()})
        except (httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
            raise _away("notifications", "/feed/stream", repr(error)) from error

    async def _all(self, service: str, path: str, kind: type[A], wanted: Params | None = None) -> list[A]:
        found: list[A] = []
        params: dict[str, str | int] = {"limit": PAGE, **(wanted or {})}
        for _ in range(MAX_PAGES):
            page = await self._one(service, path, Page, params)
            try:
                found += [kind.model_validate(item) for item in page.items]
            except ValidationError as error:
                raise _away(service, path, repr(error)) from error
            if not page.next:
                break
            params["cursor"] = page.next
        return found

    async def _found(self, service: str, path: str, kind: type[A]) -> A | None:
        """One thing; None if there is none."""
        try:
            return await self._one(service, path, kind)
        except Missing:
            return None

    async def _one(self, service: str, path: str, kind: type[A], params: Params | None = None) -> A:
        answer = await self._get(service, path, params or {})
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            raise _away(service, path, repr(error)) from error

    async def _get(self, service: str, path: str, params: Params) -> dict[str, object]:
        response = await self._reply(service, path, params)
        try:
            answer = response.json()
        except ValueError as error:
            raise _away(service, path, repr(error)) from error
        if not isinstance(answer, dict):
            raise _away(service, path, "not an object")
        return answer

    async def _reply(self, service: str, path: str, params: Params) -> httpx2.Response:
        try:
            async with asyncio.timeout(DEADLINE):
                response = await self._client.get(
                    f"{self._base}/{service}{path}", params=dict(params), headers=self._headers()
                )
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            raise _away(service, path, repr(error)) from error
        if response.status_code == httpx2.codes.NOT_FOUND:
            raise Missing(service, path)
        if response.status_code != httpx2.codes.OK:
            raise _away(service, path, f"status {response.status_code}")
        return response

    def _headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", **(more or {})}


def _given(**wanted: UUID | str | date | None) -> Params:
    """What is asked for, without what is left open."""
    return {name: str(value) for name, value in wanted.items() if value is not None}


def _client(connections: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=20)
    return httpx2.AsyncClient(timeout=DEADLINE, limits=limits, trust_env=False)


def _away(service: str, path: str, reason: str) -> Away:
    _log.warning("a service gave no usable answer", service=service, path=path, reason=reason[:300])
    return Away(service, reason)
