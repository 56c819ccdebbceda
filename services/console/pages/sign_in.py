"""`/sign-in` and `/sign-out`: a person brings a token, and takes it back."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from services.console.request import forms
from services.console.request.session import MAX_TOKEN, Visitor, cookie, from_here, signed_in, signed_out
from services.console.view import templating
from shared.auth import public
from shared.errors import Unauthenticated
from shared.web import ProblemError, Router

router = Router(dependencies=[public()], include_in_schema=False)

Because = Literal["needed", "ended"]
_BECAUSE = {
    "needed": "Sign in first: that is for people who are known here.",
    "ended": "Your sign-in has ended, or is not valid any more. Sign in again.",
}
_UNUSABLE = "This token cannot be used: it has run out, or is none of this Kei, or not all of it was pasted."
_IN_THE_CLEAR = "Signing in needs https here: over plain http others could read the token on its way."


class Token(forms.Form):
    """What the page asks for."""

    token: str = Field(default="", max_length=forms.MAX_BYTES)


@router.get("/sign-in")
async def ask(request: Request, because: Annotated[Because | None, Query()] = None) -> HTMLResponse:
    """The form, with the reason why somebody was sent here."""
    return _page(request, note=_BECAUSE[because] if because else "")


@router.post("/sign-in", dependencies=[Depends(from_here)])
async def sign_in(request: Request) -> Response:
    """Keep a good token in the browser, and go on."""
    name = cookie(request.scope)
    if name is None:
        raise ProblemError(403, "in-the-clear", _IN_THE_CLEAR)
    token = "".join((await forms.read(request, Token)).token.split())  # a terminal may have broken it into lines
    if not token:
        return _page(request, fault="Paste a token first.", status=400)
    if len(token) > MAX_TOKEN:
        return _page(request, fault=f"This token is longer than {MAX_TOKEN} characters.", status=400)
    try:
        visitor = Visitor(await request.app.state.verifier.verify(token), token)
    except Unauthenticated:
        return _page(request, fault=_UNUSABLE, status=401)
    except ConnectionError as error:
        detail = "The token cannot be checked just now: the issuer's keys are not reached."
        raise ProblemError(503, "unavailable", detail) from error
    return signed_in(request, name, token, "/operations" if visitor.operates else "/")


@router.post("/sign-out", dependencies=[Depends(from_here)])
async def sign_out(request: Request) -> Response:
    """Forget the token."""
    return signed_out(request, "/")


def _page(request: Request, *, note: str = "", fault: str = "", status: int = 200) -> HTMLResponse:
    values = {"note": note, "fault": fault, "possible": cookie(request.scope), "in_the_clear": _IN_THE_CLEAR}
    return templating.page(request.scope, "sign_in.html", {"nav": "/sign-in", **values}, status)
