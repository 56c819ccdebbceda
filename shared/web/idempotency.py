"""Idempotency-Key: the first response is stored in the transaction of its request and returned to every retry.

Each service has its own table. Keys are separate for each caller.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from starlette.responses import Response

from shared.db import WriteSession
from shared.web.problems import ProblemError

_STORED_HEADERS = ("location", "etag", "content-type")


def idempotency_table(metadata: MetaData) -> Table:
    """The table `idempotency`; each service's `tables` declares it once."""
    return Table(
        "idempotency",
        metadata,
        Column("principal", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("request", Text, nullable=False, comment="method and path"),
        Column("fingerprint", LargeBinary, nullable=False, comment="SHA-256 of the body"),
        Column("status", Integer, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("ix_idempotency_created_at", "created_at"),
    )


_TABLE = idempotency_table(MetaData())
# Built once: building a statement takes longer than sending it.
_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = select(_TABLE).where((_TABLE.c.principal == bindparam("principal")) & (_TABLE.c.key == bindparam("key")))
_STORE = _TABLE.insert()


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with a key. `request` is method and path."""

    principal: str
    key: str
    request: str
    body: bytes

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the body."""
        return hashlib.sha256(self.body).digest()

    @property
    def lock(self) -> int:
        """The number of the advisory lock that serialises requests with the same key."""
        digest = hashlib.sha256(f"{self.principal}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)


async def stored_response(tx: WriteSession, attempt: IdempotentRequest) -> Response | None:
    """The stored response; None for the first attempt, which then holds the key until the commit.

    Raises:
        ProblemError: 409 while another attempt is in progress, 422 if the key belongs to another request.
    """
    if not await tx.scalar(_LOCK, {"lock": attempt.lock}):
        raise ProblemError(409, "idempotency-key-in-use", "The same request is being handled. Retry shortly.")
    parameters = {"principal": attempt.principal, "key": attempt.key}
    row = (await tx.execute(_FIND, parameters)).mappings().one_or_none()
    if row is None:
        return None
    if (row["request"], row["fingerprint"]) != (attempt.request, attempt.fingerprint):
        message = "This Idempotency-Key was used for another request."
        raise ProblemError(422, "idempotency-key-reused", message, errors=[("Idempotency-Key", message)])
    return _replay(row)


async def store(tx: WriteSession, attempt: IdempotentRequest, response: Response) -> None:
    """Store the response in the transaction of the request."""
    headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
    values: dict[str, Any] = {
        "principal": attempt.principal,
        "key": attempt.key,
        "request": attempt.request,
        "fingerprint": attempt.fingerprint,
        "status": response.status_code,
        "headers": headers,
        "body": bytes(response.body),
    }
    await tx.execute(_STORE, values)


async def delete_before(tx: WriteSession, before: datetime) -> int:
    """Delete older responses; return their number. A later retry is a new request."""
    result = await tx.execute(delete(_TABLE).where(_TABLE.c.created_at < before).returning(_TABLE.c.key))
    return len(result.all())


def _replay(row: Mapping[Any, Any]) -> Response:
    response = Response(row["body"], row["status"], headers=row["headers"])
    response.headers["Idempotency-Replayed"] = "true"
    return response
