"""Notices: creating them for the clusters that an event concerns, and marking them as read."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.notifications.tables import Notice
from shared import clock
from shared.db import WriteSession
from shared.errors import NotFound
from shared.events import Data, Event
from shared.events.matching import (
    MentorshipAsked,
    MentorshipConfirmed,
    MentorshipEnded,
    MentorshipMet,
    MentorshipNudged,
    MentorshipStarted,
    PairAccepted,
    PairDeclined,
    PairExpired,
    PairProposed,
    PairWithdrawn,
    RunPublished,
)
from shared.events.members import (
    CapacityChanged,
    ClusterArchived,
    ClusterChanged,
    ClusterRegistered,
    LabelExpired,
    ServiceRequested,
)
from shared.events.trainings import (
    RegistrationConfirmed,
    RegistrationWaitlisted,
    TrainingCompleted,
    TrainingPublished,
)


class Audience(NamedTuple):
    """Who gets a notice of an event, and what the notice is about, as names of the event's fields.

    Attributes:
        clusters: fields with the ids of clusters; without any, the notice is for the coordinator.
        subjects: fields that are copied to the notice.
    """

    clusters: tuple[str, ...]
    subjects: tuple[str, ...]


_REGISTRATION = Audience(("cluster_id",), ("activity_id", "registration_id"))
_PAIR = Audience(("mentor_id", "learner_id"), ("pair_id", "mentor_id", "learner_id"))
_MENTORSHIP = Audience(("mentor_id", "learner_id"), ("mentorship_id", "mentor_id", "learner_id"))
AUDIENCES: dict[type[Data], Audience | None] = {
    ClusterRegistered: None,
    ClusterChanged: None,
    ClusterArchived: Audience((), ("cluster_id",)),
    CapacityChanged: None,
    LabelExpired: Audience(("cluster_id",), ("cluster_id",)),
    ServiceRequested: Audience((), ("request_id", "cluster_id")),
    TrainingPublished: None,
    RegistrationConfirmed: _REGISTRATION,
    RegistrationWaitlisted: _REGISTRATION,
    TrainingCompleted: Audience(("attended",), ("activity_id",)),
    RunPublished: Audience((), ("run_id",)),
    PairProposed: _PAIR,
    PairAccepted: _PAIR,
    PairDeclined: _PAIR,
    PairExpired: _PAIR,
    PairWithdrawn: _PAIR,
    MentorshipStarted: _MENTORSHIP,
    MentorshipMet: None,
    MentorshipNudged: _MENTORSHIP,
    MentorshipAsked: _MENTORSHIP,
    MentorshipEnded: _MENTORSHIP,
    MentorshipConfirmed: _MENTORSHIP,
}
"""Every public event type has an entry. None means that nobody gets a notice."""

_INSERT = insert(Notice).on_conflict_do_nothing()


async def create_notices(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Create the notices of these events. A repeated event creates no second notice."""
    rows = [row for event in events for row in _rows(event)]
    if rows:
        await tx.execute(_INSERT, rows)


def _rows(event: Event[Data]) -> Iterator[dict[str, Any]]:
    audience = AUDIENCES.get(type(event.data))
    if audience is None:
        return
    for cluster_id in _clusters(event.data, audience):
        yield {
            "id": clock.new_id(),
            "event_id": event.id,
            "consortium_id": event.data.consortium_id,  # type: ignore[attr-defined]  # all events with an audience
            "cluster_id": cluster_id,
            "kind": ".".join(event.type.split(".")[2:4]),
            "subjects": {name: str(getattr(event.data, name)) for name in audience.subjects},
        }


def _clusters(data: Data, audience: Audience) -> Collection[UUID | None]:
    """The ids of the clusters that get a notice, each once; None is the coordinator."""
    if not audience.clusters:
        return [None]
    values = (getattr(data, name) for name in audience.clusters)
    return dict.fromkeys(id for value in values for id in (value if isinstance(value, list) else [value]))


async def mark_read(
    tx: WriteSession, id: UUID, now: datetime, *, consortium: UUID | None, cluster: UUID | None
) -> Notice:
    """Mark a notice as read; later calls keep the first time.

    Raises:
        NotFound: there is no such notice of that consortium and that cluster, if given.
    """
    query = select(Notice).where(Notice.id == id).with_for_update()
    if consortium is not None:
        query = query.where(Notice.consortium_id == consortium)
    if cluster is not None:
        query = query.where(Notice.cluster_id == cluster)
    notice = await tx.scalar(query)
    if notice is None:
        raise NotFound("no-such-notice", "There is no such notice.")
    notice.read_at = notice.read_at or now
    await tx.flush()
    return notice
