"""Which types of events a partner may read, and which of them a request gets."""

from collections.abc import Collection, Sequence

from shared.errors import Invalid


def check_grant(types: Sequence[str], public: Collection[str]) -> list[str]:
    """The types to grant to a partner, sorted and each once; none means all.

    Raises:
        Invalid: one of them is no public type.
    """
    _require_none(sorted(set(types) - set(public)), "is no public type of event")
    return sorted(set(types))


def select_types(requested: Sequence[str], granted: Sequence[str], public: Collection[str]) -> list[str] | None:
    """The types that a request gets; None means all.

    Args:
        requested: none means all granted types.
        granted: none means all public types.
        public: all public types.

    Raises:
        Invalid: a requested type is not granted, or is no public type.
    """
    readable = set(granted) or set(public)
    _require_none(sorted(set(requested) - readable), "is no public type of event, or not granted to you")
    if requested:
        return sorted(set(requested))
    return sorted(readable) if granted else None


def _require_none(refused: Sequence[str], reason: str) -> None:
    if refused:
        raise Invalid("unknown-type", f"{refused[0][:100]!r} {reason}.", field="types")
