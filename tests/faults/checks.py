"""The invariants, as pure functions from written events and seen effects to findings. See test_checks.py."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


class Event(NamedTuple):
    """An event in the outbox (written) or an effect of it (seen)."""

    id: UUID
    key: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Findings:
    """How often each guarantee was broken; all are 0 if every guarantee holds."""

    lost: int
    phantom: int
    effect_dup: int
    swaps: int
    gaps: int

    @property
    def broken(self) -> dict[str, int]:
        """The broken guarantees, with their numbers."""
        return {name: count for name in self.__slots__ if (count := getattr(self, name))}


def total(parts: Iterable[Findings]) -> Findings:
    """The sum of findings."""
    listed = list(parts)
    return Findings(**{name: sum(getattr(findings, name) for findings in listed) for name in Findings.__slots__})


def examine(
    acked: Collection[UUID], written: Sequence[Event], seen: Sequence[Event], positions: Sequence[int]
) -> Findings:
    """Compare the seen effects with the written events.

    Args:
        acked: ids of the events whose commit was answered.
        written: the outbox at the end.
        seen: the effects, in the order in which they were committed.
        positions: of the outbox, in order.
    """
    committed = {event.id for event in written}
    effects = Counter(event.id for event in seen)
    return Findings(
        lost=len(set(acked) - committed) + len(committed - effects.keys()),
        phantom=len(effects.keys() - committed),
        effect_dup=sum(effects.values()) - len(effects),
        swaps=swaps(seen),
        gaps=sum(position != place for place, position in enumerate(positions, 1)),
    )


def swaps(seen: Iterable[Event]) -> int:
    """The number of effects that do not follow the previous version of their key; versions have no gap and begin at 1.

    A repeated effect counts as a duplicate, not here.
    """
    known: set[UUID] = set()
    newest: dict[UUID, int] = defaultdict(int)
    wrong = 0
    for event in seen:
        if event.id in known:
            continue
        known.add(event.id)
        wrong += event.version != newest[event.key] + 1
        newest[event.key] = max(newest[event.key], event.version)
    return wrong


def over_capacity(samples: Iterable[tuple[int, int]]) -> int:
    """The number of samples (used, allowed) with more used than allowed."""
    return sum(used > allowed for used, allowed in samples)
