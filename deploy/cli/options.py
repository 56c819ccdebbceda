"""Options that several commands have, written once: a group is a dataclass, and a command takes it as one parameter."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from deploy.api_client import Api, open_client
from deploy.cli.common import in_loop, token_source, user_errors
from deploy.databases import SERVICES

DataDirOption = Annotated[
    Path, typer.Option("--data-dir", envvar="KEI_DATA_DIR", help="Data directory of the embedded Kei.")
]
DATA_DIR = Path(".kei")
ServiceArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
EventIdsArgument = Annotated[list[UUID] | None, typer.Argument(help="Event ids; all dead letters if left out.")]


@dataclass(frozen=True)
class ApiOptions:
    """How a command reaches the APIs of a running Kei."""

    url: Annotated[str, typer.Option("--url", envvar="KEI_URL", help="Address of a running Kei.")] = (
        "http://127.0.0.1:8700"
    )
    data_dir: DataDirOption = DATA_DIR
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="KEI_TOKEN",
            help="Operator's token; signed with the key in the data directory if left out.",
        ),
    ] = None

    def token_source(self) -> Callable[[], str]:
        """See `common.token_source`."""
        return token_source(self.data_dir, self.token)

    def run(self, work: Callable[[Api], Awaitable[None]]) -> None:
        """Call `work` with a client."""

        async def with_client() -> None:
            async with open_client(self.url, source) as api:
                await work(api)

        with user_errors():
            source = self.token_source()
            in_loop(with_client())


def with_option_groups(function: Callable[..., None]) -> Callable[..., None]:
    """The function as a command: each parameter that is a dataclass becomes the options of its fields."""
    groups: dict[str, Any] = {}
    parameters: list[Parameter] = []
    for parameter in signature(function).parameters.values():
        if is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += signature(groups[parameter.name]).parameters.values()
        else:
            parameters.append(parameter)

    @wraps(function)
    def command(**values: Any) -> None:
        built = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        function(**values, **built)

    del command.__wrapped__  # Typer would read the signature of the function
    keyword_only = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = Signature(keyword_only)  # type: ignore[attr-defined]  # Typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def known(service: str) -> str:
    """The service's name.

    Raises:
        typer.BadParameter: there is no such service.
    """
    if service not in SERVICES:
        raise typer.BadParameter(f"There is no service {service!r}; there are {', '.join(SERVICES)}.")
    return service
