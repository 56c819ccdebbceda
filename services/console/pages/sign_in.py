"""`/sign-in` and `/sign-out`: stores the user's token in a cookie and deletes it."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from services.console.request import forms
from services.console.request.session import (
    MAX_TOKEN_LENGTH,
    SignedInUser,
    cookie_name,
    own_page,
    require_same_origin,
    signed_in,
    signed_out,
)
from services.console.view import templating
from shared.auth import public
from shared.errors import Unauthenticated
from shared.web import ProblemError, Router

router = Router(dependencies=[public()], include_in_schema=False)

SignInReason = Literal["needed", "ended"]
_REASONS = {
    "needed": "Sign in to go on.",
    "ended": "Your sign-in has ended. Sign in again.",
}
_INVALID = "This token has expired, is incomplete, or belongs to another Kei."
_UNENCRYPTED = "Signing in needs https here: over plain http others could read the token on its way."


class TokenForm(forms.Form):
    """The sign-in form."""

    token: str = Field(default="", max_length=forms.MAX_BYTES)
    next: str = Field(default="", max_length=forms.MAX_BYTES)


@router.get("/sign-in")
async def sign_in_page(
    request: Request,
    because: Annotated[SignInReason | None, Query()] = None,
    next: Annotated[str, Query(max_length=2000)] = "",  # noqa: A002  the usual name of the parameter
) -> HTMLResponse:
    """The form, with the reason of a redirect and the page to return to."""
    return _page(request, note=_REASONS[because] if because else "", next_page=next)


@router.post("/sign-in", dependencies=[Depends(require_same_origin)])
async def sign_in(request: Request) -> Response:
    """Store a valid token in the browser."""
    name = cookie_name(request.scope)
    if name is None:
        raise ProblemError(403, "in-the-clear", _UNENCRYPTED)
    form = await forms.read(request, TokenForm)
    token = "".join(form.token.split())  # a terminal may have wrapped it
    if not token:
        return _page(request, error="Paste a token first.", status=400, next_page=form.next)
    if len(token) > MAX_TOKEN_LENGTH:
        error = f"This token is longer than {MAX_TOKEN_LENGTH} characters."
        return _page(request, error=error, status=400, next_page=form.next)
    try:
        user = SignedInUser(await request.app.state.verifier.verify(token), token)
    except Unauthenticated:
        return _page(request, error=_INVALID, status=401, next_page=form.next)
    except ConnectionError as error:
        detail = "The token cannot be checked just now: the issuer's keys are unavailable."
        raise ProblemError(503, "unavailable", detail) from error
    to = own_page(form.next) or ("/operations" if user.is_operator else "/")
    return signed_in(request, name, token, to)


@router.post("/sign-out", dependencies=[Depends(require_same_origin)])
async def sign_out(request: Request) -> Response:
    """Delete the cookie."""
    return signed_out(request, "/")


def _page(request: Request, *, note: str = "", error: str = "", status: int = 200, next_page: str = "") -> HTMLResponse:
    values = {
        "note": note,
        "error": error,
        "next_page": own_page(next_page),
        "encrypted": cookie_name(request.scope),
        "unencrypted": _UNENCRYPTED,
    }
    return templating.page(request.scope, "sign_in.html", {"nav": "/sign-in", **values}, status)
