"""The refusals a rule or command may raise. The web edge maps each kind to one status code, in one place."""


class KeiError(Exception):
    """A refusal with a stable slug for programs, a sentence for people and, where one is at fault, the field's name."""

    def __init__(self, slug: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.field = field


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
