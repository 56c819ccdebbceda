"""What the commands have in common: options, the loop they run in, and one sentence instead of a stack trace."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from deploy.databases import SettingsError
from deploy.embedded.app import operator_token
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.kafka.admin import KafkaAdminError
from deploy.kafka.topics import TopicsError
from deploy.migrate import DatabaseBusy
from deploy.sample_data.load import AlreadyLoadedDifferently, NoProposal
from deploy.sample_data.read import InvalidFile
from deploy.sample_data.wait import WaitTimeout
from deploy.schema_check import SchemaError
from deploy.secrets import SecretsError
from shared.api_client import ApiError, ServiceUnavailable

T = TypeVar("T")

HomeOption = Annotated[Path, typer.Option("--data-dir", envvar="KEI_DATA_DIR", help="The folder of the embedded Kei.")]
UrlOption = Annotated[str, typer.Option("--url", envvar="KEI_URL", help="The address of a running Kei.")]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="KEI_TOKEN", help="An operator's token; made from the folder's key if left out."),
]
HOME = Path(".kei")
URL = "http://127.0.0.1:8700"

_SENTENCES = (
    SecretsError,
    SettingsError,
    DatabaseBusy,
    AlreadyLoadedDifferently,
    DataDirectoryError,
    TopicsError,
    KafkaAdminError,
    ApiError,
    NoProposal,
    ServiceUnavailable,
    WaitTimeout,
    SchemaError,
)
"""What carries a sentence for whoever gave the command."""

out = Console()
err = Console(stderr=True)


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415  not there on every system
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def progress(first: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done: in place on a terminal, a line each elsewhere. Gives what to tell the next step to."""
    if out.is_terminal:
        with out.status(first) as status:
            yield status.update
        return

    def tell(step: str) -> None:
        out.print(f"{step} …", markup=False, highlight=False)

    tell(first)
    yield tell


@contextmanager
def sentences() -> Iterator[None]:
    """End the command with a sentence for whatever a user can do something about."""
    try:
        yield
    except InvalidFile as error:
        err.print(f"[bold]Nothing was loaded; {len(error.faults)} things are wrong:[/]")
        for fault in error.faults:
            err.print(f"  {fault}", markup=False, highlight=False)
        raise typer.Exit(2) from error
    except (*_SENTENCES, OSError) as error:
        err.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from error


def secret_file(name: str) -> Path | None:
    """The file of a secret in KEI_SECRETS_DIR, if there is one."""
    folder = os.environ.get("KEI_SECRETS_DIR")
    file = Path(folder) / name if folder else None
    return file if file is not None and file.is_file() else None


def token_source(home: Path, token: str | None) -> Callable[[], str]:
    """The token to use: the one given, else fresh ones made with the embedded issuer's key."""
    if token is not None:
        return lambda: token
    key_home = DataDirectory(home)
    if not key_home.issuer_key.exists():
        message = f"There is no signing key in {key_home.path}. Give --token, or --data-dir of a Kei that has run."
        raise DataDirectoryError(message)
    if not os.access(key_home.issuer_key, os.R_OK):
        raise DataDirectoryError(f"You may not read the signing key in {key_home.path}. Give --token.")
    return lambda: operator_token(key_home)
