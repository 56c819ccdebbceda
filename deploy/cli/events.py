"""`kei events`: read a service's event log, and send it again."""

import asyncio
import json
from typing import Annotated

import typer

from deploy.api_client import Api
from deploy.cli.common import out
from deploy.cli.options import ApiOptions, ServiceArgument, known, with_option_groups
from shared.clock import new_id

events = typer.Typer(no_args_is_help=True, help="Read a service's event log, and send it again.")
POLL_SECONDS = 0.5
PAGE_SIZE = 500

AfterOption = Annotated[int, typer.Option(min=0, help="Position after which to begin.")]


@events.command("tail")
@with_option_groups
def tail(
    connection: ApiOptions,
    service: ServiceArgument,
    after: AfterOption = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue as new events are published.")] = False,
) -> None:
    """Print a service's events, one JSON object per line."""

    async def work(api: Api) -> None:
        position = after
        while True:
            page = await api.get(known(service), "/ops/events", after=position, limit=PAGE_SIZE)
            for item in page["items"]:
                typer.echo(json.dumps(item, ensure_ascii=False))
            if page["next"] == position:
                if not follow:
                    return
                await asyncio.sleep(POLL_SECONDS)
            position = page["next"]

    connection.run(work)


@events.command("replay")
@with_option_groups
def replay(connection: ApiOptions, service: ServiceArgument, after: AfterOption = 0) -> None:
    """Send a service's events again. Consumers ignore events that they have handled."""

    async def work(api: Api) -> None:
        sent = await api.write(known(service), "/ops/replays", {"after": after}, key=str(new_id()))
        out.print(f"{sent['count']} events of {service} sent again.")

    connection.run(work)
