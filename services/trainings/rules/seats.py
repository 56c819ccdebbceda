"""Who gets seats: first come, first served. Nobody overtakes, also not by asking for fewer seats."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.trainings.rules.vocabulary import RegistrationState
from shared.errors import Invalid


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of an activity: how many there are, and how many are given."""

    capacity: int
    taken: int

    @property
    def free(self) -> int:
        """Those that can be given."""
        return self.capacity - self.taken


@dataclass(frozen=True, slots=True)
class Waiting:
    """A registration in the queue."""

    id: UUID
    seats: int


def decide(wanted: int, seats: Seats, waiting: int) -> RegistrationState:
    """Confirmed if nobody waits and it fits, else waitlisted; `waiting` is the length of the queue.

    Raises:
        Invalid: more seats than there will ever be; it would block the queue for good.
    """
    if wanted > seats.capacity:
        message = f"{wanted} seats are more than the activity has: {seats.capacity}."
        raise Invalid("too-many-seats", message, field="seats")
    fits = not waiting and wanted <= seats.free
    return RegistrationState.confirmed if fits else RegistrationState.waitlisted


def promote(free: int, queue: Iterable[Waiting]) -> list[UUID]:
    """Those of the queue, head first, who get the free seats. The first that does not fit ends it."""
    chosen = []
    for one in queue:
        if one.seats > free:
            break
        chosen.append(one.id)
        free -= one.seats
    return chosen
