"""`kei token`, `events`, `inbox`, `matching`: what an operator does with a running Kei, over its APIs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from deploy.api_client import Api, open_client
from deploy.cli.common import (
    HOME,
    URL,
    HomeOption,
    TokenOption,
    UrlOption,
    in_loop,
    out,
    sentences,
    token_source,
)
from deploy.cli.serve import ServiceArgument, known
from deploy.embedded.app import issuer_of
from deploy.embedded.data_dir import DataDirectory
from shared.auth import Principal, Role
from shared.clock import new_id

events = typer.Typer(no_args_is_help=True, help="A service's event log.")
inbox = typer.Typer(no_args_is_help=True, help="Events that could not be handled.")
matching = typer.Typer(no_args_is_help=True, help="The matching service.")
EventIds = Annotated[list[UUID] | None, typer.Argument(help="Event ids; all dead letters if left out.")]
"""Which dead letters."""


def token(
    role: Annotated[list[Role] | None, typer.Option(help="May be given more than once; operator if left out.")] = None,
    subject: Annotated[str, typer.Option(help="Who it is for.")] = "local-operator",
    consortium: Annotated[UUID | None, typer.Option()] = None,
    cluster: Annotated[UUID | None, typer.Option()] = None,
    minutes: Annotated[int, typer.Option(min=1, max=60 * 24)] = 60,
    home: HomeOption = HOME,
) -> None:
    """Print a token of the embedded issuer."""
    roles = frozenset(role or [Role.operator])
    with sentences():
        token_source(home, None)
        caller = Principal(subject, roles, consortium=consortium, cluster=cluster)
        typer.echo(issuer_of(DataDirectory(home)).token(caller, timedelta(minutes=minutes)))


@events.command("tail")
def tail(
    service: ServiceArgument,
    after: Annotated[int, typer.Option(min=0, help="The position before the first event.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as new events come.")] = False,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Print a service's events, one JSON object a line."""

    async def work(api: Api) -> None:
        position = after
        while True:
            page = await api.get(known(service), "/ops/events", after=position, limit=500)
            for item in page["items"]:
                typer.echo(json.dumps(item, ensure_ascii=False))
            if page["next"] == position:
                if not follow:
                    return
                await asyncio.sleep(0.5)
            position = page["next"]

    over_api(url, home, given, work)


@events.command("replay")
def replay(
    service: ServiceArgument,
    after: Annotated[int, typer.Option(min=0, help="The position before the first event.")] = 0,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Send a service's events again. Consumers that know an event ignore it."""

    async def work(api: Api) -> None:
        sent = await post(api, known(service), "/ops/replays", {"after": after})
        out.print(f"{sent['count']} events of {service} sent again.")

    over_api(url, home, given, work)


@inbox.command("dead")
def dead(service: ServiceArgument, url: UrlOption = URL, home: HomeOption = HOME, given: TokenOption = None) -> None:
    """List a service's dead letters."""

    async def work(api: Api) -> None:
        table = Table("event", "type", "tries", "reason")
        for one in (await api.get(known(service), "/ops/dead-letters"))["items"]:
            table.add_row(one["event_id"], one["type"], str(one["attempts"]), one["reason"])
        out.print(table if table.row_count else f"{service} has no dead letters.")

    over_api(url, home, given, work)


@inbox.command("retry")
def retry(
    service: ServiceArgument,
    ids: EventIds = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Have dead letters handled again."""
    over_api(url, home, given, lambda api: _handle(api, service, "retry", ids))


@inbox.command("discard")
def discard(
    service: ServiceArgument,
    ids: EventIds = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Give dead letters up, for good."""
    over_api(url, home, given, lambda api: _handle(api, service, "discard", ids))


async def _handle(api: Api, service: str, action: str, ids: list[UUID] | None) -> None:
    chosen = None if not ids else [str(one) for one in ids]
    body = {"action": action, "consumer": known(service), "event_ids": chosen}
    done = await post(api, service, "/ops/dead-letters", body)
    out.print(f"{done['count']} dead letters: {action}.")


async def post(api: Api, service: str, path: str, body: Mapping[str, object]) -> dict[str, object]:
    answer: dict[str, object] = await api.write(service, path, body, key=str(new_id()))
    return answer


def over_api(url: str, home: HomeOption, token: str | None, work: Callable[[Api], Awaitable[None]]) -> None:
    async def connect() -> None:
        async with open_client(url, source) as api:
            await work(api)

    with sentences():
        source = token_source(home, token)
        in_loop(connect())
