"""Waits until what was published is handled everywhere, and counts what became of it; others may go on writing."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from deploy.api_client import Api
from deploy.migrate import SERVICES
from shared.api_client import Json
from shared.events import registry

TIMEOUT = 60.0
MAX_EVENT_CHAIN = 3
"""Services that one cause passes through at most, each publishing because of the one before: members, matching,
notifications."""


class WaitTimeout(Exception):
    """The services did not catch up in time; the text says which and by how much."""


@dataclass(frozen=True, slots=True)
class ConsumerDelivery:
    """What a consumer did with the events of a service."""

    consumer: str
    producer: str
    published: int
    handled: int
    pending: int
    dead: int
    doubled: int

    @property
    def lost(self) -> int:
        """Events that reached nothing: neither handled nor waiting nor dead."""
        return max(0, self.published - self.handled - self.pending - self.dead)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """The events that every service had published at one moment, and what became of them."""

    published: dict[str, int]
    effects: list[ConsumerDelivery]


@dataclass(frozen=True, slots=True)
class FeedDelivery:
    """The public feed held against a ledger."""

    published: int
    shown: int
    lost: int
    doubled: int
    gaps: int


class StatusSnapshot:
    """One look at the status of all services."""

    def __init__(self, status: Mapping[str, Json]) -> None:
        self.sent = {name: int(one["outbox"]["sent"]) for name, one in status.items()}
        self.published = {name: self.sent[name] + int(one["outbox"]["unsent"]) for name, one in status.items()}
        self.inboxes = [
            (row["topic"].split(".")[1], row) for one in status.values() for row in one["inbox"] if _is_service(row)
        ]

    def behind(self, before: "StatusSnapshot", elapsed: float) -> list[str]:
        """Who has not yet sent or handled all that had been published `before`, which is `elapsed` seconds ago."""
        late = [f"{name} has not sent all" for name, sent in self.sent.items() if sent < before.published[name]]
        for producer, row in self.inboxes:
            arrived = row["done"] + row["discarded"] + row["dead"]
            if arrived < before.published[producer] or (
                row["pending"] and row["oldest_pending_age_seconds"] >= elapsed
            ):
                late.append(f"{row['consumer']} has {row['pending']} of {producer} waiting")
        return late

    def ledger(self, before: "StatusSnapshot", after: "StatusSnapshot") -> DeliveryReport:
        """What became, by this look, of what had been published `before`; nobody can have handled more than `after`."""
        effects = []
        for producer, row in self.inboxes:
            published, handled = before.published[producer], row["done"] + row["discarded"]
            effects.append(
                ConsumerDelivery(
                    consumer=row["consumer"],
                    producer=producer,
                    published=published,
                    handled=min(handled, published - row["dead"]),
                    pending=row["pending"],
                    dead=row["dead"],
                    doubled=max(0, handled + row["dead"] - after.published[producer]),
                )
            )
        return DeliveryReport(before.published, effects)


def _is_service(row: Json) -> bool:
    return row["topic"].split(".")[1] in SERVICES


async def _collect_snapshot(api: Api) -> StatusSnapshot:
    return StatusSnapshot({name: await api.get(name, "/ops/status") for name in SERVICES})


async def wait_for_run(api: Api, run: str, patience: float = TIMEOUT) -> Json:
    """Wait until a run is made; it is a draft then, or published.

    Raises:
        Unsettled: it failed, was cancelled, or still is being made when patience ends.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + patience, 0.02
    while (made := (await api.get("matching", f"/runs/{run}"))["run"])["state"] == "running":
        if loop.time() > end:
            raise WaitTimeout(f"Run {run} is not made after {patience:g} s; {made['progress'] / 10:.0f} % are done.")
        await asyncio.sleep(pause)
        pause = min(2 * pause, 1.0)
    if made["state"] in {"failed", "cancelled"}:
        raise WaitTimeout(f"Run {run} is {made['state']}. {made['reason'] or ''}")
    return made


async def wait_for_replan(
    api: Api, consortium_id: str, causes: Collection[tuple[str, str]], patience: float = TIMEOUT
) -> None:
    """Wait until a plan is made that follows events of these types and clusters.

    Raises:
        Unsettled: there is none yet when patience ends.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        runs = [one for one in await api.items("matching", "/runs") if one["consortium_id"] == consortium_id]
        told = {(cause["type"], cause["cluster_id"]) for one in runs for cause in one["causes"]}
        if told >= set(causes) and all(one["state"] != "running" for one in runs):
            return
        if loop.time() > until:
            raise WaitTimeout(f"After {patience:.0f} s no plan follows the answers to the one before.")
        await asyncio.sleep(0.05)


async def wait_until_idle(api: Api, patience: float = TIMEOUT) -> DeliveryReport:
    """Wait until all that was published is handled, and what was published by handling it, and so on.

    Raises:
        Unsettled: something still is on its way when patience ends.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    before = now = await _collect_snapshot(api)
    for turn in range(MAX_EVENT_CHAIN):
        before, begun = (before if turn == 0 else now), loop.time()
        while late := (now := await _collect_snapshot(api)).behind(before, loop.time() - begun):
            if loop.time() > until:
                raise WaitTimeout(f"After {patience:.0f} s: {'; '.join(late)}.")
            await asyncio.sleep(0.05)
    return now.ledger(before, await _collect_snapshot(api))


async def compare_feed(api: Api, ledger: DeliveryReport) -> FeedDelivery:
    """Read the whole public feed and compare it, id by id, with what the ledger's services had published."""
    public = {entry.name for entry in registry().values() if entry.public}
    published = {
        item["event"]["id"]
        for name in SERVICES
        if name != "notifications"
        for item in await read_log(api, name, "/ops/events")
        if item["event"]["type"] in public and item["position"] <= ledger.published[name]
    }
    items = await read_log(api, "notifications", "/feed")
    ids = [item["event"]["id"] for item in items]
    return FeedDelivery(
        published=len(published),
        shown=len(published.intersection(ids)),
        lost=len(published.difference(ids)),
        doubled=len(ids) - len(set(ids)),
        gaps=sum(item["position"] != place for place, item in enumerate(items, 1)),
    )


async def read_log(api: Api, service: str, path: str) -> list[Json]:
    """Every item of a service's log, or of the feed, with its position."""
    items: list[Json] = []
    after = 0
    while True:
        page = await api.get(service, path, after=after, limit=1000)
        items += page["items"]
        if page["next"] == after:
            return items
        after = page["next"]
