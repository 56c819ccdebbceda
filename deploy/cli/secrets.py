"""`kei secrets create`."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.common import out, user_errors
from deploy.secrets import create_missing

secrets_commands = typer.Typer(no_args_is_help=True, help="The secrets of a deployment.")


@secrets_commands.command("create")
def create(
    folder: Annotated[Path, typer.Argument(envvar="KEI_SECRETS", help="Folder of the secrets; created if missing.")],
    host: Annotated[str, typer.Option(envvar="KEI_HOST", help="Public name of the deployment.")] = "localhost",
) -> None:
    """Create the missing secrets of a deployment, and renew certificates that expire soon. Safe to repeat."""
    with user_errors():
        created = create_missing(folder, host)
    out.print(f"Created in {folder}: {', '.join(created) or 'nothing, all secrets exist'}.")


@secrets_commands.callback()
def _group() -> None:
    """Keep `create` a command of its own, although it is the only one."""
