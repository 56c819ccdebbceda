"""Notices for people: which clusters an event concerns, and that somebody has read of it."""

from collections.abc import Iterator, Sequence
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
    MentorshipNudged,
    MentorshipStarted,
    PairAccepted,
    PairDeclined,
    PairExpired,
    PairProposed,
    PairWithdrawn,
    RunPublished,
)
from shared.events.members import ClusterArchived, LabelExpired, ServiceRequested
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted, TrainingCompleted


class _Concern(NamedTuple):
    """Names of fields: whom an event concerns (no field: the coordinator), and what it is about."""

    clusters: tuple[str, ...]
    subjects: tuple[str, ...]


_REGISTRATION = _Concern(("cluster_id",), ("activity_id", "registration_id"))
_PAIR = _Concern(("mentor_id", "learner_id"), ("pair_id", "mentor_id", "learner_id"))
_MENTORSHIP = _Concern(("mentor_id", "learner_id"), ("mentorship_id", "mentor_id", "learner_id"))
_CONCERNS: dict[type[Data], _Concern] = {
    RegistrationConfirmed: _REGISTRATION,
    RegistrationWaitlisted: _REGISTRATION,
    TrainingCompleted: _Concern(("attended",), ("activity_id",)),
    PairProposed: _PAIR,
    PairAccepted: _PAIR,
    PairDeclined: _PAIR,
    PairExpired: _PAIR,
    PairWithdrawn: _PAIR,
    MentorshipStarted: _MENTORSHIP,
    MentorshipNudged: _MENTORSHIP,
    MentorshipAsked: _MENTORSHIP,
    MentorshipEnded: _MENTORSHIP,
    MentorshipConfirmed: _MENTORSHIP,
    RunPublished: _Concern((), ("run_id",)),
    ClusterArchived: _Concern((), ("cluster_id",)),
    LabelExpired: _Concern(("cluster_id",), ("cluster_id",)),
    ServiceRequested: _Concern((), ("request_id", "cluster_id")),
}


_NOTE = insert(Notice).on_conflict_do_nothing()


async def note(tx: WriteSession, events: Sequence[Event[Data]]) -> None:
    """Leave a notice for everybody whom the events concern; once, however often an event comes."""
    rows = [row for event in events for row in _rows(event)]
    if rows:
        await tx.execute(_NOTE, rows)


def _rows(event: Event[Data]) -> Iterator[dict[str, Any]]:
    concern = _CONCERNS.get(type(event.data))
    if concern is None:
        return
    values = {name: getattr(event.data, name) for name in concern.clusters}
    named = [one for value in values.values() for one in (value if isinstance(value, list) else [value])]
    for cluster_id in dict.fromkeys(named) if concern.clusters else [None]:
        yield {
            "id": clock.new_id(),
            "event_id": event.id,
            "consortium_id": event.data.consortium_id,  # type: ignore[attr-defined]  # all those above have it
            "cluster_id": cluster_id,
            "kind": ".".join(event.type.split(".")[2:4]),
            "subjects": {name: str(getattr(event.data, name)) for name in concern.subjects},
        }


async def mark_read(
    tx: WriteSession, id: UUID, now: datetime, *, consortium: UUID | None, cluster: UUID | None
) -> Notice:
    """Note that a notice was read; the first time counts. It has to be of that consortium and cluster, if given.

    Raises:
        NotFound
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
