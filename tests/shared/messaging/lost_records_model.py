"""Every interleaving of one partition, two members of its group, a broker that deletes records, and rebalances.

Each step of a member is one event. A commit is three: it is sent, takes effect and is answered, and anything may happen
in between. What the members report is compared with what is true in the model.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from shared.transport.lost_records import PartitionReading, State

END = 4
"""Offsets 0 to 3 exist."""
Span = tuple[int, int]
Step = tuple[str, "World"]
Event = Callable[[PartitionReading], Sequence[range] | None]


class ModelError(AssertionError):
    """What the members report is not what is true; the message tells the events that lead there."""


class Member(NamedTuple):
    """One member of the group. Spans are first offset and end."""

    reading: PartitionReading
    position: int | None = None
    log_start: int | None = None
    """Asked when the position is known; -1 if the broker did not answer."""
    fetched: Span | None = None
    unstored: Span | None = None
    commit: tuple[int, bool] | None = None
    """The offset sent, and whether the broker has it."""
    rejoining: bool = False

    @property
    def owns(self) -> bool:
        return self.reading.state is not State.UNASSIGNED

    def key(self) -> tuple[object, ...]:
        return (*vars(self.reading).values(), *self[1:])


class World(NamedTuple):
    """The broker, the members, what is true and what was reported."""

    members: tuple[Member, Member]
    committed: int | None
    log_start: int = 0
    began: int | None = None
    """The offset at which the group started without a committed offset; what is deleted below it is no loss."""
    late_commit: int | None = None
    """Of a former owner, still on its way."""
    read: frozenset[int] = frozenset()
    """By any member."""
    reported: tuple[int, ...] = (0,) * END
    """How often each offset was reported lost."""
    deletions: int = 2
    rebalances: int = 2
    failures: int = 0
    """How many deaths, failed commits, lost answers and exceeded time limits may still come."""

    def key(self) -> tuple[object, ...]:
        members = frozenset(member.key() for member in self.members)  # they are interchangeable
        return (members, *self[1:])

    def lost(self) -> set[int]:
        """Offsets deleted before any member had read them."""
        return set(range(self.began or 0, self.log_start)) - self.read

    def counted(self) -> set[int]:
        """Offsets reported at least once."""
        return {offset for offset, times in enumerate(self.reported) if times}

    def events(self) -> Iterator[Step]:
        """Everything that can happen next."""
        for offset in range(self.log_start + 1, END + 1 if self.deletions else 0):
            yield f"delete below {offset}", self._replace(log_start=offset, deletions=self.deletions - 1)
        if self.late_commit is not None:
            yield "late commit", self._replace(committed=self.late_commit, late_commit=None)
        for number, member in enumerate(self.members):
            events = chain(self._ownership(number, member), self._reading(number, member), self._commit(number, member))
            for name, world in chain(events, self._failures(number, member) if self.failures else ()):
                yield f"{'AB'[number]} {name}", world

    def _ownership(self, number: int, member: Member) -> Iterator[Step]:
        if not any(each.owns for each in self.members):
            yield "assigned", _with(self, number, member, lambda reading: reading.assigned())
        if member.reading.state is State.STARTING:
            yield from self._start(number, member)
        if member.owns and not member.rejoining and self.rebalances:
            fewer = self._replace(rebalances=self.rebalances - 1)
            yield "rejoins", _with(fewer, number, member._replace(rejoining=True))
        idle = member.unstored is None and member.commit is None
        if member.rejoining and idle and member.reading.due is None:
            yield "revoked", _revoked(self, number, member)

    def _start(self, number: int, member: Member) -> Iterator[Step]:
        if member.position is None:
            position = self.log_start if self.committed is None else self.committed
            yield "has its position", _with(self, number, member._replace(position=position))
        elif member.log_start is None:
            yield "has the log start", _with(self, number, member._replace(log_start=self.log_start))
            yield "has no log start", _with(self, number, member._replace(log_start=-1))
        else:
            position, log_start = member.position, None if member.log_start < 0 else member.log_start
            started = member._replace(log_start=None)
            world = self._replace(began=position if self.began is None else self.began)
            yield "starts", _with(world, number, started, lambda reading: reading.started(position, log_start))

    def _reading(self, number: int, member: Member) -> Iterator[Step]:
        if member.reading.state is State.READING and member.position is not None and member.fetched is None:
            if member.position < self.log_start:
                yield "resets its position", _with(self, number, member._replace(position=self.log_start))
            else:
                for end in {min(member.position + 1, END), END} - {member.position}:
                    yield f"fetches to {end}", _with(self, number, member._replace(fetched=(member.position, end)))
        if member.fetched and not member.rejoining and member.unstored is None:
            first, end = member.fetched
            reads = member._replace(fetched=None, unstored=member.fetched, position=end)
            world = _with(self, number, reads, lambda reading: reading.read(range(first, end)))
            yield "reads", world._replace(read=self.read | set(range(first, end)))
        if member.unstored:
            stored = member.unstored[1]
            yield "stores", _with(self, number, member._replace(unstored=None), lambda reading: reading.stored(stored))

    def _commit(self, number: int, member: Member) -> Iterator[Step]:
        due = member.reading.due
        if due is not None and member.commit is None:
            yield f"commits {due}", _with(self, number, member._replace(commit=(due, False)))
        if member.commit and not member.commit[1]:
            landed = _with(self, number, member._replace(commit=(member.commit[0], True)))
            yield "commit takes effect", landed._replace(committed=member.commit[0])
        elif member.commit:
            offset = member.commit[0]
            answered = member._replace(commit=None)
            yield "commit is answered", _with(self, number, answered, lambda reading: reading.committed(offset))

    def _failures(self, number: int, member: Member) -> Iterator[Step]:
        failed = self._replace(failures=self.failures - 1)
        if member.commit and not member.commit[1]:
            yield "commit fails", _with(failed, number, member._replace(commit=None))
            failed = failed._replace(late_commit=member.commit[0])
        if member.commit:
            yield "answer is lost", _with(failed, number, member._replace(commit=None))
        if member.owns:
            yield "dies", _with(failed, number, Member(type(member.reading)()))
        if member.rejoining:
            yield "exceeds the time limit", _revoked(failed, number, member)


def _revoked(world: World, number: int, member: Member) -> World:
    return _with(world, number, Member(member.reading, unstored=member.unstored), lambda reading: reading.revoked())


def _with(world: World, number: int, member: Member, event: Event | None = None) -> World:
    lost = None
    if event:
        member = member._replace(reading=copy.copy(member.reading))
        lost = event(member.reading)
    first, second = world.members
    world = world._replace(members=(first, member) if number else (member, second))
    if lost:
        offsets = set(chain.from_iterable(lost))
        reported = tuple(times + (offset in offsets) for offset, times in enumerate(world.reported))
        world = world._replace(reported=reported)
    return world


def explore(begin: World, check: Callable[[World], str]) -> int:
    """Go through every state that can be reached, once; return how many there are.

    Args:
        begin: where all histories begin.
        check: what is wrong with a state; empty if nothing is.

    Raises:
        ModelError: something is wrong.
    """
    came_from: dict[object, tuple[object, str]] = {begin.key(): (None, "")}
    open_worlds = [(begin.key(), begin)]
    while open_worlds:
        key, world = open_worlds.pop()
        if wrong := check(world):
            raise ModelError(f"{wrong} after: " + ", ".join(reversed(list(_history(came_from, key)))))
        for name, after in world.events():
            if (after_key := after.key()) not in came_from:
                came_from[after_key] = (key, name)
                open_worlds.append((after_key, after))
    return len(came_from)


def _history(came_from: dict[object, tuple[object, str]], key: object) -> Iterator[str]:
    while key is not None:
        key, name = came_from[key]
        if name:
            yield name
