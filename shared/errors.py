"""The refusals a rule or command may raise. The web edge maps each kind to one status code, in one place."""

from collections.abc import Sequence


class KeiError(Exception):
    """A refusal with a stable slug for programs, a sentence for people and, where fields are at fault, their names.

    Args:
        slug: the last part of the problem's type.
        message: a sentence.
        field: the one that is at fault.
        faults: or several, each with a sentence of its own.
    """

    def __init__(
        self, slug: str, message: str, *, field: str | None = None, faults: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.field = field
        self.faults = tuple(faults) or (((field, message),) if field else ())


class NotFound(KeiError):
    """There is no such thing, or it is outside what the caller may see (404)."""


class Conflict(KeiError):
    """The state of things does not allow it now (409)."""


class Forbidden(KeiError):
    """The caller's role does not allow it (403)."""


class Invalid(KeiError):
    """A value is well-formed but makes no sense here (422)."""


class Stale(KeiError):
    """The caller acted on an older version than the current one (412)."""


class Unauthenticated(KeiError):
    """No valid credential came with the request (401)."""
