"""Optimistic locking over HTTP: a reply carries the version as ETag, a change has to bring it back as If-Match."""

from typing import Annotated

from fastapi import Depends, Header, Response


def _if_match(
    etag: Annotated[
        str,
        Header(
            alias="If-Match",
            pattern='^"v[1-9][0-9]{0,8}"$',
            description='The ETag of the version that is changed, such as "v3".',
        ),
    ],
) -> int:
    return int(etag[2:-1])


IfMatch = Annotated[int, Depends(_if_match)]
"""The version the caller has read. Without the header 428, malformed 400; a command raises `errors.Stale` (412)."""


def etag(response: Response, version: int) -> None:
    """Tell the caller which version the reply shows."""
    response.headers["ETag"] = f'"v{version}"'
