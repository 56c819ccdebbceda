"""Lists that may be long, as somebody reads them."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

LONGEST = 50
"""Lines of a list that somebody reads to its end."""

T = TypeVar("T")


class Cut(NamedTuple, Generic[T]):
    """How a list begins and ends, and how many lines are left out between."""

    head: Sequence[T]
    left_out: int = 0
    tail: Sequence[T] = ()

    @property
    def total(self) -> int:
        """Lines of the whole list."""
        return len(self.head) + self.left_out + len(self.tail)


def cut(lines: Sequence[T], *, both_ends: bool = False, longest: int = LONGEST) -> Cut[T]:
    """A list without its end where it has more than `longest` lines, or without its middle."""
    if len(lines) <= longest:
        return Cut(lines)
    tail = longest // 2 if both_ends else 0
    return Cut(lines[: longest - tail], len(lines) - longest, lines[len(lines) - tail :])
