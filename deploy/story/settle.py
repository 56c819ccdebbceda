"""Waits until every event has been sent and handled everywhere, and counts what became of them."""

import asyncio
from dataclasses import dataclass

from deploy.api import Api, Json
from deploy.migrate import SERVICES
from shared.events import registry

PATIENCE = 60.0


class Unsettled(Exception):
    """The services did not catch up in time; the text says which and by how much."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a consumer did with the events of a topic."""

    consumer: str
    topic: str
    published: int
    handled: int
    pending: int
    dead: int

    @property
    def lost(self) -> int:
        """Events that reached nothing: neither handled nor waiting nor dead."""
        return max(0, self.published - self.handled - self.pending - self.dead)

    @property
    def doubled(self) -> int:
        """Effects over the number of events."""
        return max(0, self.handled - self.published)


@dataclass(frozen=True, slots=True)
class Feed:
    """The public feed held against what the services published."""

    published: int
    shown: int
    lost: int
    doubled: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every event of every service, and what became of it."""

    published: dict[str, int]
    effects: list[Effect]
    unsent: int

    @property
    def waiting(self) -> int:
        """Events still on their way."""
        return self.unsent + sum(effect.pending + effect.lost for effect in self.effects)


async def ledger(api: Api) -> Ledger:
    """The figures of all services, from their status."""
    status = {name: await api.get(name, "/ops/status") for name in SERVICES}
    published = {name: int(one["outbox"]["assigned"]) for name, one in status.items()}
    topics = {f"kei.{name}.v1": published[name] for name in SERVICES if name != "notifications"}
    effects = [
        Effect(
            consumer=row["consumer"],
            topic=row["topic"],
            published=topics[row["topic"]],
            handled=row["done"] + row["discarded"],
            pending=row["pending"],
            dead=row["dead"],
        )
        for one in status.values()
        for row in one["inbox"]
        if row["topic"] in topics
    ]
    return Ledger(published, effects, sum(int(one["outbox"]["unsent"]) for one in status.values()))


async def settled(api: Api, patience: float = PATIENCE) -> Ledger:
    """Wait until nothing is on its way, twice in a row, since handling an event may publish another.

    Raises:
        Unsettled: something still is when patience ends.
    """
    loop = asyncio.get_running_loop()
    until, calm = loop.time() + patience, None
    while True:
        now = await ledger(api)
        if now.waiting == 0 and calm is not None and calm.published == now.published:
            return now
        calm = now if now.waiting == 0 else None
        if loop.time() > until:
            late = [f"{e.consumer} has {e.pending + e.lost} of {e.topic}" for e in now.effects if e.pending + e.lost]
            raise Unsettled(
                f"After {patience:.0f} s {now.unsent} events are unsent; {'; '.join(late) or 'none waits'}."
            )
        await asyncio.sleep(0.05)


async def public_feed(api: Api) -> Feed:
    """Read the whole public feed and compare it, id by id, with the services' own logs."""
    public = {entry.name for entry in registry().values() if entry.public}
    published = [
        item["event"]["id"]
        for name in SERVICES
        if name != "notifications"
        for item in await _log(api, name, "/ops/events")
        if item["event"]["type"] in public
    ]
    shown = await _log(api, "notifications", "/feed")
    ids = [item["event"]["id"] for item in shown]
    positions = [item["position"] for item in shown]
    return Feed(
        published=len(published),
        shown=len(ids),
        lost=len(set(published) - set(ids)),
        doubled=len(ids) - len(set(ids)),
        gaps=sum(position != place for place, position in enumerate(positions, 1)),
    )


async def _log(api: Api, service: str, path: str) -> list[Json]:
    items: list[Json] = []
    after = 0
    while True:
        page = await api.get(service, path, after=after, limit=100)
        items += page["items"]
        if page["next"] == after:
            return items
        after = page["next"]
