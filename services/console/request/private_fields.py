"""Private fields: only the clusters concerned, the coordinator of their consortium and operators may read them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from services.console.api.models.members import ServiceRequest
from services.console.api.models.mentorships import Mentorship
from services.console.request.session import SignedInUser
from shared.auth import Role

_CLUSTER_FIELDS = ("cluster_id", "mentor_id", "learner_id", "host_cluster_id")
"""Fields of an event's data with a cluster that the event is about."""


def may_read(user: SignedInUser | None, consortium: UUID, clusters: Collection[UUID]) -> bool:
    """Whether the user may read the private fields of something that concerns these clusters of a consortium."""
    if user is None:
        return False
    if user.is_operator:
        return True
    principal = user.principal
    if principal.consortium != consortium:
        return False
    return principal.has(Role.coordinator) or (principal.has(Role.manager) and principal.cluster in clusters)


def without_private_fields(mentorship: Mentorship) -> Mentorship:
    """The mentorship without its agreement, the reason of its end, and the parts of its health."""
    return mentorship.model_copy(update={"agreement": "", "reason": None, "health_parts": []})


def without_text(request: ServiceRequest) -> ServiceRequest:
    """The request for help without its text."""
    return request.model_copy(update={"text": ""})


def consortium_of(event: Mapping[str, Any]) -> UUID | None:
    """The consortium in which an event happened; None if it names none."""
    data = event.get("data")
    return _id(data.get("consortium_id")) if isinstance(data, dict) else None


def may_read_event(user: SignedInUser | None, event: Mapping[str, Any]) -> bool:
    """Whether the user may read the payload of an event; of an event that names no consortium, operators only."""
    consortium = consortium_of(event)
    if consortium is None:
        return user is not None and user.is_operator
    clusters = [id for name in _CLUSTER_FIELDS if (id := _id(event["data"].get(name))) is not None]
    return may_read(user, consortium, clusters)


def _id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
