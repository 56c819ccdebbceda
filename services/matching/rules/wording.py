"""How rules put lists, counts and days in words."""

from collections.abc import Iterable, Sequence
from datetime import date


def listed(text: Sequence[str] | Iterable[str]) -> str:
    """Words as a list in a sentence."""
    all_ = list(text)
    return " and ".join([", ".join(all_[:-1]), all_[-1]] if len(all_) > 1 else all_)


def counted(count: int, what: str) -> str:
    """A number of things: "1 goal", "3 goals"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def day(on: date) -> str:
    """A day: "6 February 2017"."""
    return f"{on:%-d %B %Y}"
