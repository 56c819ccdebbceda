"""Which types of events a partner may have, and which of them a reader asked for."""

from collections.abc import Collection, Sequence

from shared.errors import Invalid


def grant(types: Sequence[str], public: Collection[str]) -> list[str]:
    """The types to be granted to a partner, each once, in order; none means all.

    Raises:
        Invalid: one of them is no public type.
    """
    _refuse(sorted(set(types) - set(public)), "is no public type of event")
    return sorted(set(types))


def select(asked: Sequence[str], granted: Sequence[str], public: Collection[str]) -> list[str] | None:
    """The types to show, None for all. Nothing asked means all that is granted, nothing granted means all.

    Raises:
        Invalid: one that was asked for is not granted, or is no public type.
    """
    may = set(granted) or set(public)
    _refuse(sorted(set(asked) - may), "is no public type of event, or not granted to you")
    if asked:
        return sorted(set(asked))
    return sorted(may) if granted else None


def _refuse(wrong: Sequence[str], what: str) -> None:
    if wrong:
        raise Invalid("unknown-type", f"{wrong[0][:100]!r} {what}.", field="types")
