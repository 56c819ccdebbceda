"""A person before the console: signs in, reads, presses what a form offers."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx2

from services.console.api.models.members import Cluster
from services.matching.consumers import consumer
from shared.auth import Principal, Role
from shared.db import Database
from shared.events.envelope import Record
from shared.inbox import Inbox
from tests.services.console.world import World
from tests.support import factories
from tests.support.waiting import eventually

HERE = {"Sec-Fetch-Site": "same-origin"}
"""The headers of a browser for a form of the site's own page."""


def text(html: str) -> str:
    """What a reader sees."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def forms(html: str, path: str) -> list[list[tuple[str, str]]]:
    """The hidden fields of every form that is sent to `path`."""
    bodies = re.findall(rf'<form[^>]*action="{path}"[^>]*>(.*?)</form>', html, re.DOTALL)
    return [re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', body) for body in bodies]


class Person:
    """A user with a token of these roles; without roles, a user who is not signed in."""

    LIFETIME = timedelta(hours=1)

    def __init__(self, world: World, *roles: Role, lifetime: timedelta = LIFETIME, cluster: str | None = None) -> None:
        self._world = world
        consortium = UUID(world.ids["consortium"]) if cluster else None
        principal = Principal("anna", frozenset(roles), consortium, UUID(cluster) if cluster else None)
        self.token = world.issuer.token(principal, lifetime) if roles else ""

    async def get(self, path: str) -> httpx2.Response:
        return await self._world.http.get(f"{self._world.url}{path}", headers=self._headers({}))

    async def post(
        self, path: str, fields: Sequence[tuple[str, str]], headers: Mapping[str, str] = HERE
    ) -> httpx2.Response:
        body = urlencode(fields).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._world.http.post(
            f"{self._world.url}{path}", content=body, headers=self._headers({**kind, **headers})
        )

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        cookie = {"Cookie": f"kei={self.token}"} if self.token else {}
        return {"Accept": "text/html", **cookie, **more}


def cluster(number: int, country: str, *, name: str | None = None) -> Cluster:
    """A cluster as members would send it."""
    return Cluster(
        id=UUID(int=number),
        consortium_id=UUID(int=0),
        slug=f"c{number}",
        name=name or f"Cluster {number}",
        country=country,
        ecosystems=[],
        languages=[],
        value_chain_stages=[],
        label="none",
        label_expired=False,
        illustrative=[],
        mentor_capacity=1,
        learner_capacity=1,
        archived=False,
    )


async def poison(url: str, *ids: UUID) -> None:
    """Put records that it cannot read into matching's database, as the transport would; return when they are dead."""
    database = Database(url, name="test")
    header = (("ce_specversion", b"1.0"), ("ce_type", b"kei.members.moon.landed.v1"))
    try:
        await Inbox(database, consumer).receive(
            [("kei.members.v1", Record(b"k", (*header, ("ce_id", str(event_id).encode())), b"{}")) for event_id in ids]
        )
    finally:
        await database.close()

    async def died() -> bool:
        return {str(id) for id in ids} <= set(await letters(url, "dead"))

    await eventually(died)


async def letters(url: str, state: str) -> list[str]:
    """The ids of the events that matching has in a state."""
    query = "SELECT event_id FROM inbox WHERE state = $1 ORDER BY seq"
    events: list[dict[str, Any]] = await factories.rows(url, query, state)
    return [str(row["event_id"]) for row in events]
