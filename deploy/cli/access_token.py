"""`kei token`."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from deploy.cli.common import token_source, user_errors
from deploy.cli.options import DATA_DIR, DataDirOption
from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import issuer_of
from shared.auth import Principal, Role


def token(
    role: Annotated[list[Role] | None, typer.Option(help="May be repeated; operator if left out.")] = None,
    subject: Annotated[str, typer.Option(help="Subject of the token.")] = "local-operator",
    consortium: Annotated[UUID | None, typer.Option(help="Consortium of the subject.")] = None,
    cluster: Annotated[UUID | None, typer.Option(help="Cluster of the subject.")] = None,
    minutes: Annotated[int, typer.Option(min=1, max=60 * 24, help="Lifetime.")] = 60,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Print a token, signed with the key in the data directory."""
    roles = frozenset(role or [Role.operator])
    with user_errors():
        token_source(data_dir, None)
        caller = Principal(subject, roles, consortium=consortium, cluster=cluster)
        typer.echo(issuer_of(DataDirectory(data_dir)).token(caller, timedelta(minutes=minutes)))
