"""The checks find each planted fault: a loss, a phantom, a duplicate, a swap, a gap, an exceeded capacity."""

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.faults.checks import Event, Findings, examine, over_capacity

KEYS = [UUID(int=key) for key in range(1, 5)]
WRITTEN = [Event(UUID(int=100 * key.int + version), key, version) for key in KEYS for version in range(1, 6)]
ACKED = [event.id for event in WRITTEN]
POSITIONS = list(range(1, len(WRITTEN) + 1))
Seen = list[Event]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert examine(ACKED, WRITTEN, WRITTEN, POSITIONS).broken == {}


def test_keys_may_mix_as_they_like() -> None:
    assert examine(ACKED, WRITTEN, sorted(WRITTEN, key=lambda event: event.version), POSITIONS).broken == {}


def lose(seen: Seen) -> None:
    del seen[-1]


def invent(seen: Seen) -> None:
    seen.append(Event(UUID(int=1), UUID(int=9), 1))


def double(seen: Seen) -> None:
    seen.append(seen[7])


def swap(seen: Seen) -> None:
    seen[2], seen[3] = seen[3], seen[2]


@pytest.mark.parametrize(
    ("plant", "expected"),
    [(lose, {"lost"}), (invent, {"phantom"}), (double, {"effect_dup"}), (swap, {"swaps"})],
    ids=["loss", "phantom", "duplicate", "swap"],
)
def test_what_is_planted_is_found(plant: Callable[[Seen], None], expected: set[str]) -> None:
    seen = list(WRITTEN)
    plant(seen)
    assert examine(ACKED, WRITTEN, seen, POSITIONS).broken.keys() == expected


def test_a_loss_in_the_middle_of_a_key_is_a_swap_as_well() -> None:
    assert examine(ACKED, WRITTEN, WRITTEN[:1] + WRITTEN[2:], POSITIONS) == Findings(1, 0, 0, 1, 0)


def test_an_answered_write_that_is_not_there_is_lost() -> None:
    assert examine([*ACKED, UUID(int=1)], WRITTEN, WRITTEN, POSITIONS).broken == {"lost": 1}


def test_a_gap_is_found_where_it_begins() -> None:
    gapped = [position + (position > 10) for position in POSITIONS]
    assert examine(ACKED, WRITTEN, WRITTEN, gapped).broken == {"gaps": 10}


def test_a_position_given_twice_is_found() -> None:
    assert examine(ACKED, WRITTEN, WRITTEN, [1, 1, *POSITIONS[2:]]).broken == {"gaps": 1}


def test_too_much_is_found() -> None:
    assert over_capacity([(0, 3), (3, 3), (4, 3), (1, 0)]) == 2
