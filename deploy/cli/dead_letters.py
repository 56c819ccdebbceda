"""`kei dead-letters`: list the events that a service could not handle, retry or discard them."""

from uuid import UUID

import typer
from rich.table import Table

from deploy.api_client import Api
from deploy.cli.common import out
from deploy.cli.options import ApiOptions, EventIdsArgument, ServiceArgument, known, with_option_groups
from shared.clock import new_id

dead_letters = typer.Typer(no_args_is_help=True, help="List, retry or discard events that could not be handled.")


@dead_letters.command("list")
@with_option_groups
def show(connection: ApiOptions, service: ServiceArgument) -> None:
    """List a service's dead letters, with their reasons."""

    async def work(api: Api) -> None:
        table = Table("event", "type", "attempts", "reason")
        for letter in (await api.get(known(service), "/ops/dead-letters"))["items"]:
            table.add_row(letter["event_id"], letter["type"], str(letter["attempts"]), letter["reason"])
        out.print(table if table.row_count else f"{service} has no dead letters.")

    connection.run(work)


@dead_letters.command("retry")
@with_option_groups
def retry(connection: ApiOptions, service: ServiceArgument, ids: EventIdsArgument = None) -> None:
    """Handle dead letters again."""
    connection.run(lambda api: _act(api, service, "retry", ids))


@dead_letters.command("discard")
@with_option_groups
def discard(connection: ApiOptions, service: ServiceArgument, ids: EventIdsArgument = None) -> None:
    """Discard dead letters. They are never handled."""
    connection.run(lambda api: _act(api, service, "discard", ids))


async def _act(api: Api, service: str, action: str, ids: list[UUID] | None) -> None:
    event_ids = [str(event_id) for event_id in ids] if ids else None
    body = {"action": action, "consumer": known(service), "event_ids": event_ids}
    done = await api.write(service, "/ops/dead-letters", body, key=str(new_id()))
    out.print(f"{done['count']} dead letters: {action}.")
