"""A process that serves the shop: `python -m tests.shared.web.serving PORT [DATABASE_URL KEY_FILE]`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from shared import logs
from shared.auth import Issuer, KeySource, Verifier
from shared.db import Database
from shared.web import DRAIN, create_app, server
from tests.shared.web import example_service


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    database = app.state.database
    if database is not None:
        async with database.transaction() as tx:
            await (await tx.connection()).run_sync(example_service.METADATA.create_all)
    yield
    if database is not None:
        await database.close()


def main(port: str, url: str = "", key: str = "") -> None:
    logs.set_up("odd")
    keys = Issuer.load(Path(key), issuer="i", audience="a").jwks() if key else {"keys": []}
    routers = (
        [example_service.router(), example_service.keyed_router()]
        if url
        else [example_service.odd_router(example_service.Gate(), DRAIN)]
    )
    app = create_app(
        title="Shop",
        version="1",
        database=Database(url, name="shop") if url else None,
        cursor_secret="c" * 32,
        verifier=Verifier(issuer="i", audience="a", keys=KeySource.of(keys)),
        routers=routers,
        lifespan=lifespan,
    )
    server.HEAD_DEADLINE = 1.0
    server.run(app, "127.0.0.1", int(port), notice=1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
