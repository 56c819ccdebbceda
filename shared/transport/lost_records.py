"""Records that Kafka deleted before their consumer group had read them, detected by a state machine without I/O.

A `PartitionReading` is one member's view of one partition. It knows the offset at which the consumer started, the start
of the log before the first fetch, the offsets of the records read and stored, and its own commits:

| State             | Event                        | Next       | Effect                                              |
|-------------------|------------------------------|------------|-----------------------------------------------------|
| unassigned        | assigned()                   | starting   | nothing is fetched yet, nothing may be committed    |
| starting          | started(position, log_start) | reading    | offsets between the expected one and log_start are  |
|                   |                              |            | lost; the position is due, or log_start if higher   |
| any               | read(offsets)                | same       | offsets missing since the expected one are lost     |
| starting, reading | stored(offset)               | same       | the offset is due when the state is reading         |
| unassigned        | stored(offset)               | same       | none: the next owner reads the records again        |
| reading           | committed(offset)            | same       | offsets up to this one are no longer due            |
| starting, reading | revoked()                    | unassigned | nothing is due; what was read is remembered         |

A record counts as read if the group had committed a higher offset when this member started, or this member has read it.
A group without a committed offset starts with what the log contains. The position is due even if nothing is read, so
that the group has an offset in each partition: records that come into an empty partition and are deleted are lost too.

Each loss is returned once, provided that a member stores and commits what it has read before its partition is revoked.
If it cannot (it died, or exceeded the time limit), the next owner starts below: it returns the same loss again, and
records that were only read count as lost if they are deleted at that moment. No loss is missed in either case.
"""

from collections.abc import Sequence
from enum import Enum, auto


class State(Enum):
    """What a member may do with a partition."""

    UNASSIGNED = auto()
    STARTING = auto()
    READING = auto()


class PartitionReading:
    """What one member has read of a partition since the process began, and what it may commit."""

    def __init__(self) -> None:
        self.state = State.UNASSIGNED
        self._expected = 0
        self._stored = 0
        self._committed = 0

    def assigned(self) -> None:
        """The group has assigned the partition to this member, which has fetched nothing yet."""
        self.state = State.STARTING

    def started(self, position: int, log_start: int | None) -> Sequence[range]:
        """The member is about to fetch its first record.

        Args:
            position: where it fetches: at the committed offset, or where the log starts if the group has none.
            log_start: where the log starts, read before the first fetch; None if the broker did not answer.

        Returns:
            The offsets that are lost.
        """
        self.state = State.READING
        self._committed = position - 1
        self.stored(position)
        self._expected = max(position, self._expected)
        if log_start is None or log_start <= position:
            return ()
        self.stored(log_start)  # so that the next owner does not start below it
        lost = range(self._expected, log_start)
        self._expected = max(self._expected, log_start)
        return (lost,) if lost else ()

    def read(self, offsets: Sequence[int]) -> Sequence[range]:
        """These records have been read, in this order; it may be shortly after their partition was revoked.

        Returns:
            The offsets that are lost.
        """
        lost, expected = [], self._expected
        for offset in offsets:
            if offset > expected:
                lost.append(range(expected, offset))
            if offset >= expected:
                expected = offset + 1
        self._expected = expected
        return lost

    def stored(self, offset: int) -> None:
        """The records below the offset are stored, or deleted."""
        if self.state is not State.UNASSIGNED:
            self._stored = max(self._stored, offset)

    @property
    def due(self) -> int | None:
        """The offset to commit; None if it would not move the group forward, as when others have read further."""
        return self._stored if self.state is State.READING and self._stored > self._committed else None

    def committed(self, offset: int) -> None:
        """The broker has the commit of this offset."""
        self._committed = max(self._committed, offset)

    def revoked(self) -> None:
        """The partition may be assigned to another member."""
        self.state, self._stored = State.UNASSIGNED, 0
