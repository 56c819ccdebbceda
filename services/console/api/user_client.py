"""How the console acts for a person: with the person's own token, so that the services decide what may be."""

import asyncio
import json
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
from fastapi import Request

from services.console.request.session import SignInFirst, Visitor
from shared.web import ProblemError

DEADLINE = 30.0
"""Seconds for one deed: a what-if of thousands of clusters takes ten."""


class Deed(NamedTuple):
    """Something to be done in matching: how, where, with what, at which expected version, and the form's own number."""

    method: str
    path: str
    body: dict[str, Any]
    expected_version: int | None
    once: UUID


class Acting:
    """The services by what people do there; they stand below the address `base`."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        self._client = httpx2.AsyncClient(timeout=DEADLINE, trust_env=False)

    async def close(self) -> None:
        """Give up all connections."""
        await self._client.aclose()

    async def do(self, caller: Visitor, deed: Deed) -> dict[str, Any]:
        """Do it; asked twice with the same number it is done once. What matching answers.

        Raises:
            SignInFirst: the sign-in has ended.
            Refusal: matching says no, in its words, or gives no answer.
        """
        headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
        if deed.expected_version is not None:
            headers["If-Match"] = f'"v{deed.expected_version}"'
        if deed.method == "POST":
            headers["Idempotency-Key"] = str(deed.once)
        try:
            async with asyncio.timeout(DEADLINE):
                reply = await self._client.request(
                    deed.method, f"{self._base}/matching{deed.path}", content=json.dumps(deed.body), headers=headers
                )
            answer = reply.json()
        except (httpx2.HTTPError, OSError, TimeoutError, ValueError) as error:
            raise _away() from error
        if reply.is_success and isinstance(answer, dict):
            return answer
        if reply.status_code == httpx2.codes.UNAUTHORIZED:
            raise SignInFirst("ended")
        if reply.is_server_error or not isinstance(answer, dict):
            raise _away()
        raise ProblemError(reply.status_code, "refused", _said(answer))


def acting_of(request: Request) -> Acting:
    """What acts for whoever sent a form."""
    acting: Acting = request.app.state.acting
    return acting


def _said(problem: dict[str, Any]) -> str:
    """The words of a refusal, with what is wrong in which field."""
    errors = [f"{one.get('field')}: {one.get('message')}" for one in problem.get("errors", []) if isinstance(one, dict)]
    return " ".join([str(problem.get("detail", "This was refused.")), *errors])


def _away() -> ProblemError:
    detail = "Matching gives no answer, so it is not known whether this was done. Look again in a minute."
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": "5"})
