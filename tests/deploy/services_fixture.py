"""The four services in this process, with their own databases and a writer; and the rows of databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2

from deploy.databases import SERVICES
from shared.auth import Role
from shared.transport.local import LocalTransport
from tests.faults.http_clients import Callers
from tests.support import factories, services
from tests.support.connection import database_connection
from tests.support.waiting import eventually

Create = Callable[[str], Awaitable[str]]
Urls = Mapping[str, str]
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
_ROWS = 'SELECT t::text FROM "{}" AS t ORDER BY 1'
_UNSENT = "SELECT EXISTS (SELECT FROM outbox WHERE position IS NULL) OR assigned > sent FROM outbox_relay"
_PENDING = "SELECT EXISTS (SELECT FROM inbox WHERE state = 'pending')"
# What text is written with and what it is written in: separators, ends of lines, nothing, and bytes that are no text.
_ODD = """
    INSERT INTO idempotency (principal, key, request, fingerprint, status, headers, body)
    VALUES (E'a\\tb\\nc\\\\N', '\\N', E'\\\\.', '\\x000a0d5c2e', 201, '{"a": "\\u00e9 \\t"}', ''),
           ('', 'é', '', '', 0, '[]', '\\x00')
"""
_UNPLACED = """
    INSERT INTO outbox (id, topic, type, source, key, version, time, data)
    VALUES (gen_random_uuid(), 'kei.none.v1', 'none', '/none', gen_random_uuid(), 1, 'infinity', '\\x00')
"""


@dataclass(frozen=True)
class RunningServices:
    """Databases by service, and clients of the services while they run."""

    urls: dict[str, str]
    clients: dict[str, httpx2.AsyncClient]

    def callers(self) -> Callers:
        """Clients of members."""
        return Callers(self.clients["members"].request)

    async def settled(self) -> None:
        """Wait until all published events are handled."""

        async def all_handled() -> bool:
            for url in self.urls.values():
                if await value(url, _UNSENT) or await value(url, _PENDING):
                    return False
            return True

        await eventually(all_handled, 30.0)


async def migrated_databases(create: Create) -> dict[str, str]:
    """New databases, migrated."""
    return {service: await create(service) for service in SERVICES}


@asynccontextmanager
async def running(urls: dict[str, str]) -> AsyncIterator[RunningServices]:
    """The services over one local transport, while the block lasts."""
    transport = LocalTransport()
    async with AsyncExitStack() as stack:
        clients = {}
        for service in SERVICES:
            build = services.build(service)
            client = await stack.enter_async_context(factories.running(build, urls[service], transport=transport))
            client.headers.update(factories.signed_in(Role.operator))
            clients[service] = client
        yield RunningServices(urls, clients)


async def filled_databases(create: Create) -> dict[str, str]:
    """Databases with rows in every table, odd values included, that no service uses."""
    urls = await migrated_databases(create)
    async with running(urls) as running_services:
        callers = running_services.callers()
        async with callers.calling(100):
            await eventually(lambda: len(callers.answered) > 30)
        await running_services.settled()
    for url in urls.values():
        await run(url, _ODD)
    await run(urls["members"], _UNPLACED)
    return urls


async def rows_by_table(url: str) -> dict[str, list[str]]:
    """The rows of each table, as text; without those of the relay, which a restore resets, and of Alembic."""
    async with database_connection(url) as connection:
        names = [row[0] for row in await connection.fetch(_TABLES)]
        return {
            name: [row[0] for row in await connection.fetch(_ROWS.format(name))]
            for name in names
            if name not in {"outbox_relay", "alembic_version"}
        }


async def rows_by_service(urls: Urls) -> dict[str, dict[str, list[str]]]:
    """The rows of all databases."""
    return {service: await rows_by_table(url) for service, url in urls.items()}


async def value(url: str, query: str) -> object:
    """The first value that a query finds."""
    return next(iter((await factories.rows(url, query))[0].values()))


async def run(url: str, *statements: str) -> None:
    """Execute statements, each in a transaction of its own."""
    async with database_connection(url) as connection:
        for statement in statements:
            await connection.execute(statement)


def show_nothing(_: str) -> None:
    """Show nothing."""


async def cancel(task: "asyncio.Task[None]") -> None:
    """End a task."""
    task.cancel()
    await asyncio.wait([task])
