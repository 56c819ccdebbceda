"""Seats are assigned in order of registration, never twice, and no registration overtakes another."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainings.rules.seats import QueueEntry, Seats, decide, promote
from services.trainings.rules.vocabulary import RegistrationState
from shared.errors import Invalid

CONFIRMED, WAITLISTED = RegistrationState.confirmed, RegistrationState.waitlisted


@pytest.mark.parametrize(
    ("wanted", "taken", "waiting", "state"),
    [
        (1, 0, 0, CONFIRMED),
        (5, 0, 0, CONFIRMED),
        (2, 3, 0, CONFIRMED),
        (3, 3, 0, WAITLISTED),
        (1, 5, 0, WAITLISTED),
        (1, 0, 1, WAITLISTED),
    ],
)
def test_seats_are_confirmed_if_nobody_waits_and_they_fit(
    wanted: int, taken: int, waiting: int, state: RegistrationState
) -> None:
    assert decide(wanted, Seats(5, taken), waiting) is state


def test_more_seats_than_there_are_would_block_the_queue_for_good() -> None:
    with pytest.raises(Invalid) as refused:
        decide(6, Seats(5, 0), 0)
    assert refused.value.field == "seats"


def queue(*seats: int) -> list[QueueEntry]:
    return [QueueEntry(UUID(int=number), count) for number, count in enumerate(seats, 1)]


@pytest.mark.parametrize(
    ("free", "seats", "chosen"),
    [(0, (1,), 0), (2, (1, 1, 1), 2), (2, (3, 1), 0), (3, (2, 2, 1), 1), (9, (1, 2), 2), (1, (), 0)],
)
def test_the_queue_is_served_from_its_head_to_the_first_that_does_not_fit(
    free: int, seats: tuple[int, ...], chosen: int
) -> None:
    assert promote(free, queue(*seats)) == [UUID(int=number) for number in range(1, chosen + 1)]


@given(st.integers(0, 30), st.lists(st.integers(1, 20), max_size=20))
def test_promotion_never_overbooks_and_stops_only_where_it_must(free: int, seats: list[int]) -> None:
    chosen = len(promote(free, queue(*seats)))
    assert sum(seats[:chosen]) <= free
    assert chosen == len(seats) or sum(seats[: chosen + 1]) > free
