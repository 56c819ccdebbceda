"""A real database, a small service on it, and callers with real tokens."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from joserfc.jwk import ECKey

from shared.auth import Issuer, KeySource, Principal, Role, Verifier
from shared.db import Database
from shared.web import Ops, create_app
from tests.shared.web import example_service


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():  # unconfigured, structlog would take seconds to draw each traceback
        yield


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The shop's database with no rows in it."""
    database = Database(database_url, name="shop", pool_size=5)
    async with database.transaction() as tx:
        connection = await tx.connection()
        await connection.run_sync(example_service.METADATA.create_all)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Whose tokens the shop takes."""
    return Issuer(ECKey.generate_key("P-256"), issuer="http://issuer.test", audience="kei")


@pytest.fixture
def verifier(issuer: Issuer) -> Verifier:
    """Checks tokens of `issuer`."""
    return Verifier(issuer="http://issuer.test", audience="kei", keys=KeySource.of(issuer.jwks()))


@pytest.fixture
def ops() -> Ops:
    """The shop's checks and collectors."""
    return example_service.ops()


@pytest.fixture
def app(database: Database, verifier: Verifier, ops: Ops) -> FastAPI:
    """The shop."""
    return create_app(
        title="Shop",
        version="1",
        database=database,
        cursor_secret="c" * 32,
        verifier=verifier,
        routers=[example_service.router(), example_service.keyed_router()],
        ops=ops,
    )


@pytest.fixture
def headers(issuer: Issuer) -> dict[str, str]:
    """What a coordinator sends along."""
    principal = Principal("ann", frozenset({Role.coordinator}))
    return {"Authorization": f"Bearer {issuer.token(principal)}"}


@pytest.fixture
async def client(app: FastAPI, headers: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A signed-in coordinator."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test", headers=headers) as client:
        yield client
