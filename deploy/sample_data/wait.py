"""Wait until published events are handled, and count the deliveries. Other clients may write meanwhile."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import monotonic

from deploy.api_client import Api
from deploy.databases import SERVICES
from deploy.errors import UserError
from shared.api_client import Json
from shared.background import poll_until
from shared.events import registry

TIMEOUT = 60.0
MAX_EVENT_CHAIN = 3
"""Services that publish because of one event, each because of the previous one: members, matching, notifications."""


class WaitTimeout(UserError):
    """The services were not idle in time; the text says which, and how many events are left."""


@dataclass(frozen=True, slots=True)
class ConsumerDelivery:
    """Numbers of events from one producer to one consumer."""

    consumer: str
    producer: str
    published: int
    handled: int
    pending: int
    dead: int
    duplicated: int

    @property
    def lost(self) -> int:
        """Events that are neither handled nor pending nor dead."""
        return max(0, self.published - self.handled - self.pending - self.dead)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """Numbers of events that each service had published at one moment, and their deliveries."""

    published: dict[str, int]
    consumers: list[ConsumerDelivery]


@dataclass(frozen=True, slots=True)
class FeedDelivery:
    """The public feed, compared with the services' logs."""

    published: int
    shown: int
    lost: int
    duplicated: int
    gaps: int


class StatusSnapshot:
    """The status of all services."""

    def __init__(self, status: Mapping[str, Json]) -> None:
        self.sent = {name: int(state["outbox"]["sent"]) for name, state in status.items()}
        self.published = {name: self.sent[name] + int(state["outbox"]["unsent"]) for name, state in status.items()}
        self.inboxes = [
            (row["topic"].split(".")[1], row) for state in status.values() for row in state["inbox"] if _is_service(row)
        ]

    def unfinished(self, before: "StatusSnapshot", elapsed: float) -> list[str]:
        """A text for each service that has not sent or handled all events published `before`, `elapsed` seconds ago."""
        texts = [f"{name} has not sent all" for name, sent in self.sent.items() if sent < before.published[name]]
        for producer, row in self.inboxes:
            arrived = row["done"] + row["discarded"] + row["dead"]
            if arrived < before.published[producer] or (
                row["pending"] and row["oldest_pending_age_seconds"] >= elapsed
            ):
                texts.append(f"{row['consumer']} has {row['pending']} of {producer} pending")
        return texts

    def delivery_report(self, before: "StatusSnapshot", after: "StatusSnapshot") -> DeliveryReport:
        """Deliveries, in this snapshot, of the events published `before`; `after` bounds what can have been handled."""
        consumers = []
        for producer, row in self.inboxes:
            published, handled = before.published[producer], row["done"] + row["discarded"]
            consumers.append(
                ConsumerDelivery(
                    consumer=row["consumer"],
                    producer=producer,
                    published=published,
                    handled=min(handled, published - row["dead"]),
                    pending=row["pending"],
                    dead=row["dead"],
                    duplicated=max(0, handled + row["dead"] - after.published[producer]),
                )
            )
        return DeliveryReport(before.published, consumers)


def _is_service(row: Json) -> bool:
    return row["topic"].split(".")[1] in SERVICES


async def _collect_snapshot(api: Api) -> StatusSnapshot:
    return StatusSnapshot({name: await api.get(name, "/ops/status") for name in SERVICES})


async def wait_for_run(api: Api, run: str, timeout: float = TIMEOUT) -> Json:
    """Wait until a run has a plan; return the run, which is a draft or published.

    Raises:
        WaitTimeout: the run failed, was cancelled, or is not finished in time.
    """

    async def read() -> Json:
        return (await api.get("matching", f"/runs/{run}"))["run"]

    status = await poll_until(timeout, read, lambda status: status["state"] != "running", pause=0.02, max_pause=1.0)
    if status["state"] == "running":
        raise WaitTimeout(f"Run {run} is not finished after {timeout:g} s; {status['progress'] / 10:.0f} % are done.")
    if status["state"] in {"failed", "cancelled"}:
        raise WaitTimeout(f"Run {run} is {status['state']}. {status['reason'] or ''}")
    return status


async def wait_for_replan(
    api: Api,
    consortium_id: str,
    causes: Collection[tuple[str, str]],
    timeout: float = TIMEOUT,
) -> None:
    """Wait until finished runs have all these causes: event types with the ids of their clusters.

    Raises:
        WaitTimeout: a cause is not in a finished run in time.
    """

    async def is_replanned() -> bool:
        runs = [run for run in await api.items("matching", "/runs") if run["consortium_id"] == consortium_id]
        planned = {(cause["type"], cause["cluster_id"]) for run in runs for cause in run["causes"]}
        return planned >= set(causes) and all(run["state"] != "running" for run in runs)

    if not await poll_until(timeout, is_replanned, bool, pause=0.05):
        raise WaitTimeout(f"After {timeout:.0f} s there is no new plan for the replies to the previous one.")


async def wait_until_idle(api: Api, timeout: float = TIMEOUT) -> DeliveryReport:
    """Wait until all published events are handled, and the events published by their handlers too.

    Raises:
        WaitTimeout: an event is not handled in time.
    """
    until = monotonic() + timeout
    before = now = await _collect_snapshot(api)
    for link in range(MAX_EVENT_CHAIN):
        before, begun = (before if link == 0 else now), monotonic()

        async def read(before: StatusSnapshot = before, begun: float = begun) -> tuple[StatusSnapshot, list[str]]:
            snapshot = await _collect_snapshot(api)
            return snapshot, snapshot.unfinished(before, monotonic() - begun)

        now, unfinished = await poll_until(until - monotonic(), read, lambda result: not result[1], pause=0.05)
        if unfinished:
            raise WaitTimeout(f"After {timeout:.0f} s: {'; '.join(unfinished)}.")
    return now.delivery_report(before, await _collect_snapshot(api))


async def compare_feed(api: Api, report: DeliveryReport) -> FeedDelivery:
    """Compare the whole public feed, id by id, with the events that the report counts as published."""
    public = {entry.name for entry in registry().values() if entry.public}
    published = {
        item["event"]["id"]
        for name in SERVICES
        if name != "notifications"
        for item in await read_log(api, name, "/ops/events")
        if item["event"]["type"] in public and item["position"] <= report.published[name]
    }
    items = await read_log(api, "notifications", "/feed")
    ids = [item["event"]["id"] for item in items]
    return FeedDelivery(
        published=len(published),
        shown=len(published.intersection(ids)),
        lost=len(published.difference(ids)),
        duplicated=len(ids) - len(set(ids)),
        gaps=sum(item["position"] != position for position, item in enumerate(items, 1)),
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
