"""Seats are given first come, first served: a request for fewer seats does not overtake the queue."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.trainings.rules.vocabulary import RegistrationState
from shared.errors import Invalid


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of an activity: all, and those that are taken."""

    capacity: int
    taken: int

    @property
    def free(self) -> int:
        """Seats that are not taken."""
        return self.capacity - self.taken


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A waitlisted registration."""

    id: UUID
    seats: int


def decide(requested: int, seats: Seats, queue_length: int) -> RegistrationState:
    """The state of a new registration: confirmed if the queue is empty and the seats are free, else waitlisted.

    Raises:
        Invalid: more seats than the activity has; the registration would block the queue for ever.
    """
    if requested > seats.capacity:
        message = f"{requested} seats are more than the activity has: {seats.capacity}."
        raise Invalid("too-many-seats", message, field="seats")
    fits = not queue_length and requested <= seats.free
    return RegistrationState.confirmed if fits else RegistrationState.waitlisted


def promote(free: int, queue: Iterable[QueueEntry]) -> list[UUID]:
    """The ids at the head of the queue that get the free seats, up to the first entry that does not fit."""
    promoted = []
    for entry in queue:
        if entry.seats > free:
            break
        promoted.append(entry.id)
        free -= entry.seats
    return promoted
