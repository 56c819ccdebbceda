"""The errors that rules and commands raise. `shared.web.problems` maps each to one HTTP status."""

from collections.abc import Sequence


class KeiError(Exception):
    """An error with a stable slug for programs and a sentence for people.

    Args:
        slug: the last part of the problem's type.
        message: a sentence.
        field: the invalid field.
        field_errors: or several (field, sentence) pairs.
    """

    def __init__(
        self, slug: str, message: str, *, field: str | None = None, field_errors: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.field = field
        self.field_errors = tuple(field_errors) or (((field, message),) if field else ())


class NotFound(KeiError):
    """The object does not exist, or the caller may not see it (404)."""


class Conflict(KeiError):
    """The current state does not allow it (409)."""


class Forbidden(KeiError):
    """The caller's role does not allow it (403)."""


class Invalid(KeiError):
    """A value is well-formed but not valid here (422)."""


class Stale(KeiError):
    """The caller's expected version is not the current one (412)."""


class Unauthenticated(KeiError):
    """No valid credential came with the request (401)."""
