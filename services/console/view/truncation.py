"""Long lists, truncated for reading."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

MAX_LINES = 50
"""Of a list on a page."""

T = TypeVar("T")


class Truncated(NamedTuple, Generic[T]):
    """Beginning and end of a list, and how many lines between them are left out."""

    head: Sequence[T]
    left_out: int = 0
    tail: Sequence[T] = ()

    @property
    def total(self) -> int:
        """Lines of the whole list."""
        return len(self.head) + self.left_out + len(self.tail)


def truncate(lines: Sequence[T], *, both_ends: bool = False, max_lines: int = MAX_LINES) -> Truncated[T]:
    """At most `max_lines` lines: the first ones, or half from each end."""
    if len(lines) <= max_lines:
        return Truncated(lines)
    tail = max_lines // 2 if both_ends else 0
    return Truncated(lines[: max_lines - tail], len(lines) - max_lines, lines[len(lines) - tail :])
