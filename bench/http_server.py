"""The two servers of the HTTP bench, one per process: `python -m bench.http_server kei|orm PORT URL KEY`."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bench.commit import orm_row, plain_engine
from services.members import main as members
from services.members.tables import Cluster
from shared import logs, telemetry
from shared.auth import Issuer, KeySource, Principal, Verifier
from shared.settings import Settings
from shared.transport.local import LocalTransport
from shared.web import server

NAME, AUDIENCE = "bench", "kei"
POOL = 16


class Capacity(BaseModel):
    """The request body, as usual in FastAPI."""

    mentor_capacity: int = Field(ge=0, le=100)
    learner_capacity: int = Field(ge=0, le=100)


class ClusterView(BaseModel):
    """The response body, as usual in FastAPI; the same fields as Kei's."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    consortium_id: UUID
    slug: str
    name: str
    country: str
    region: str | None
    founded_on: str | None
    website: str | None
    ecosystems: list[str]
    languages: list[str]
    value_chain_stages: list[str]
    specialisation: str | None
    label: str
    label_valid_until: Any
    illustrative: list[str]
    mentor_capacity: int
    learner_capacity: int
    version: int


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


async def _caller(request: Request) -> Principal:
    principal: Principal = await request.app.state.verifier.verify(
        request.headers["authorization"].removeprefix("Bearer ")
    )
    return principal


Session = Annotated[AsyncSession, Depends(_session)]
Caller = Annotated[Principal, Depends(_caller)]


def orm_app(url: str, issuer: Issuer) -> FastAPI:
    """FastAPI with SQLAlchemy's ORM as in tutorials: a session by `Depends`, get, change, add, commit.

    Kei's code verifies the token, and If-Match is compared with the version, as in Kei.
    """
    app = FastAPI()
    app.state.sessions = async_sessionmaker(plain_engine(url, POOL), expire_on_commit=False)
    app.state.verifier = Verifier(issuer=NAME, audience=AUDIENCE, keys=KeySource.of(issuer.jwks()))

    @app.get("/clusters/{id}")
    async def show(db: Session, caller: Caller, id: UUID, response: Response) -> ClusterView:
        cluster = await db.get(Cluster, id)
        if cluster is None or not caller.within(cluster.consortium_id):
            raise HTTPException(404)
        response.headers["ETag"] = f'"v{cluster.version}"'
        return ClusterView.model_validate(cluster)

    @app.put("/clusters/{id}/capacity")
    async def change(
        db: Session,
        caller: Caller,
        id: UUID,
        body: Capacity,
        if_match: Annotated[str, Header()],
        response: Response,
    ) -> ClusterView:
        cluster = await db.get(Cluster, id, with_for_update=True)
        if cluster is None or not caller.speaks_for(id, cluster.consortium_id):
            raise HTTPException(404)
        if if_match != f'"v{cluster.version}"':
            raise HTTPException(412)
        cluster.mentor_capacity, cluster.learner_capacity = body.mentor_capacity, body.learner_capacity
        cluster.version += 1
        db.add(orm_row(id, body.mentor_capacity, cluster.version))
        await db.commit()
        response.headers["ETag"] = f'"v{cluster.version}"'
        return ClusterView.model_validate(cluster)

    return app


def members_app(url: str, issuer: Issuer) -> FastAPI:
    """Kei's members as in a deployment, without the relay, which is another process there."""
    values = {"database_url": url, "role": "web", "issuer": NAME, "audience": AUDIENCE, "cursor_secret": "c" * 32}
    settings = Settings.model_validate({**values, "pool_size": POOL})
    return members.build(settings, transport=LocalTransport(), keys=KeySource.of(issuer.jwks()))


def main(kind: str, port: str, url: str, key: str) -> None:
    """Serve until the process is terminated."""
    logs.set_up("bench", level="ERROR")
    issuer = Issuer.load(Path(key), issuer=NAME, audience=AUDIENCE)
    if kind == "kei":
        telemetry.set_up("members")
        server.run(members_app(url, issuer), "127.0.0.1", int(port), notice=0.0)
    else:
        uvicorn.run(orm_app(url, issuer), host="127.0.0.1", port=int(port), access_log=False, log_level="error")


if __name__ == "__main__":
    main(*sys.argv[1:])
