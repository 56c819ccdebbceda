"""Problem documents (RFC 9457), and the only mapping from exceptions to HTTP statuses.

A 500 does not reveal its cause; the log has it under the same request id.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from shared.errors import Conflict, Forbidden, Invalid, KeiError, NotFound, Stale, Unauthenticated

MEDIA_TYPE = "application/problem+json"
RETRY_SOON = 1
RETRY_LATER = 5


class FieldProblem(BaseModel):
    """One invalid field. Fields of the body are `body.name`, all others their bare name."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="urn:kei:problem:<slug>, stable for programs")
    title: str
    status: int
    detail: str = Field(description="a sentence for people")
    instance: str | None = None
    request_id: str
    errors: list[FieldProblem] = Field(default_factory=list)


class ProblemError(Exception):
    """An error that becomes a problem document.

    Args:
        status: HTTP status code, 400 or more.
        slug: the last part of the problem's type.
        detail: a sentence for people, without secrets.
        errors: (field, message) pairs.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self, scope: Scope) -> Response:
        """The problem document as a response to the request of `scope`."""
        problem = Problem(
            type=f"urn:kei:problem:{self.slug}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            request_id=scope.get("kei.request_id", ""),
            errors=[FieldProblem(field=field, message=message) for field, message in self.errors],
        )
        body = problem.model_dump_json(exclude_none=True)
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


_STATUS: dict[type[KeiError], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Invalid: 422,
}

_HTTP: dict[int, tuple[str, str]] = {
    400: ("malformed-request", "The request could not be read."),
    404: ("not-found", "There is nothing here."),
    405: ("method-not-allowed", "This address does not know this method."),
    413: ("body-too-large", "The body is too large."),
}

_HEADER_PROBLEMS = {
    ("header", "If-Match"): (
        400,
        "malformed-if-match",
        'If-Match has to be the ETag of the version you read, such as "v3".',
    ),
    ("header", "Idempotency-Key"): (
        400,
        "malformed-idempotency-key",
        "Idempotency-Key has to be 1 to 255 printable ASCII characters without spaces.",
    ),
}


def to_problem(error: Exception) -> ProblemError:
    """The problem of an exception: 4xx for errors of the caller, 503 for outages, 500 for everything else."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, KeiError):
        return _from_kei(error)
    if isinstance(error, RequestValidationError):
        return _from_validation(error)
    if isinstance(error, HTTPException):
        return _from_http(error)
    return _from_unexpected(error)


def _from_http(error: HTTPException) -> ProblemError:
    phrase = HTTPStatus(error.status_code).phrase
    slug, detail = _HTTP.get(error.status_code, (phrase.lower().replace(" ", "-").replace("'", ""), f"{phrase}."))
    return ProblemError(error.status_code, slug, detail, headers=error.headers)


def _from_unexpected(error: Exception) -> ProblemError:
    state = sqlstate(error)
    if state is not None and state.startswith("23"):
        return ProblemError(409, "conflict", "This clashes with something that was stored at the same time.")
    retry = retry_after(error)
    if retry is not None:
        return unavailable(retry)
    return ProblemError(500, "internal-error", "Something went wrong here. It has been noted under the request id.")


def unavailable(seconds: int = RETRY_LATER, detail: str = "Not available just now. Please try again.") -> ProblemError:
    """503 with Retry-After."""
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": str(seconds)})


def _from_kei(error: KeiError) -> ProblemError:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    errors = error.field_errors
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return ProblemError(status, error.slug, error.message, errors=errors, headers=headers)


def _from_validation(error: RequestValidationError) -> ProblemError:
    invalid = error.errors()
    for entry in invalid:
        location = tuple(entry["loc"][:2])
        if location == ("header", "If-Match") and entry["type"] == "missing":
            return ProblemError(
                428,
                "precondition-required",
                "Say which version you change: send its ETag as If-Match.",
                errors=[("If-Match", "Missing.")],
            )
        if location in _HEADER_PROBLEMS:
            status, slug, detail = _HEADER_PROBLEMS[location]
            return ProblemError(status, slug, detail, errors=[(str(location[1]), detail)])
    errors = [(field_name(entry["loc"]), _message(entry)) for entry in invalid[:50]]
    return ProblemError(422, "invalid-request", "Some values do not fit.", errors=errors)


def field_name(loc: Iterable[int | str]) -> str:
    """`body.needs.0.code` for a value in the body, the bare name for parameters."""
    parts = [str(part) for part in loc]
    if parts and parts[0] != "body":
        parts = parts[1:] or parts
    return ".".join(parts)[:200]


def _message(entry: Mapping[str, Any]) -> str:
    if entry["type"] == "string_pattern_mismatch":
        return "Is blank, or has characters or a form that are not allowed here."
    return str(entry["msg"]).removeprefix("Value error, ")[:300]


# --- which database errors are outages

_RETRY_SOON_STATES = {"40001", "40P01", "55P03"}
_RETRY_LATER_STATES = {"57014", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}
_RETRY_LATER_CLASSES = {"08", "53", "58"}
_MAX_CAUSE_DEPTH = 5


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of PostgreSQL, from an error or its causes."""
    inner: BaseException | None = error
    for _ in range(_MAX_CAUSE_DEPTH):
        state = getattr(inner, "sqlstate", None)
        if isinstance(state, str):
            return state
        inner = getattr(inner, "orig", None) or getattr(inner, "__cause__", None)
    return None


def _is_connection_ended(error: BaseException) -> bool:
    """Whether the server has just ended the connection; the driver then raises an internal error."""
    inner: BaseException | None = error
    for _ in range(_MAX_CAUSE_DEPTH):
        if isinstance(inner, asyncpg.InternalClientError):
            return True
        inner = getattr(inner, "orig", None) or getattr(inner, "__cause__", None)
    return False


def retry_after(error: Exception) -> int | None:
    """Seconds after which a retry makes sense; None if the error is not an outage."""
    state = sqlstate(error)
    if state is not None:
        if state in _RETRY_SOON_STATES:
            return RETRY_SOON
        return RETRY_LATER if state in _RETRY_LATER_STATES or state[:2] in _RETRY_LATER_CLASSES else None
    if (
        isinstance(error, PoolTimeout)
        or _is_connection_ended(error)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    ):
        return RETRY_LATER
    cause = error.orig if isinstance(error, DBAPIError) else error
    # An OSError with a file name concerns a local file; without one it comes from a socket.
    return RETRY_LATER if isinstance(cause, OSError) and cause.filename is None else None
