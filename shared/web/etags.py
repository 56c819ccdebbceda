"""Optimistic locking over HTTP: a response has the version as ETag, an update requires it as If-Match."""

from typing import Annotated

from fastapi import Depends, Header, Response


def _if_match(
    etag: Annotated[
        str,
        Header(
            alias="If-Match",
            pattern='^"v[1-9][0-9]{0,8}"$',
            description='The ETag of the version to change, such as "v3".',
        ),
    ],
) -> int:
    return int(etag[2:-1])


IfMatch = Annotated[int, Depends(_if_match)]
"""The expected version. 428 without the header, 400 if malformed; a command raises `errors.Stale` (412)."""


def etag(response: Response, version: int) -> None:
    """Set the ETag of a response."""
    response.headers["ETag"] = f'"v{version}"'
