"""Output, the event loop and error messages of all commands."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

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
from shared.web import ProcessFailed

T = TypeVar("T")

_USER_ERRORS = (
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
    ProcessFailed,
)
"""Errors whose text is a message for the user."""

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
    """Show the first step; yields the function that shows the next: in place on a terminal, else on a line."""
    if out.is_terminal:
        with out.status(first) as status:
            yield status.update
        return

    def show(step: str) -> None:
        out.print(f"{step} …", markup=False, highlight=False)

    show(first)
    yield show


@contextmanager
def user_errors() -> Iterator[None]:
    """End the command with a message, without a stack trace, after an error that a user can mend."""
    try:
        yield
    except InvalidFile as error:
        err.print(f"[bold]Nothing was loaded; {len(error.faults)} errors:[/]")
        for fault in error.faults:
            err.print(f"  {fault}", markup=False, highlight=False)
        raise typer.Exit(2) from error
    except (*_USER_ERRORS, OSError) as error:
        err.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from error


def secret_file(name: str) -> Path | None:
    """The file of a secret in KEI_SECRETS_DIR; None if it does not exist."""
    folder = os.environ.get("KEI_SECRETS_DIR")
    file = Path(folder) / name if folder else None
    return file if file is not None and file.is_file() else None


def token_source(data_dir: Path, token: str | None) -> Callable[[], str]:
    """A function that returns `token`, or else a new operator token, signed with the key in the data directory."""
    if token is not None:
        return lambda: token
    directory = DataDirectory(data_dir)
    if not directory.issuer_key.exists():
        message = f"There is no signing key in {directory.path}. Give --token, or --data-dir of a Kei that has run."
        raise DataDirectoryError(message)
    if not os.access(directory.issuer_key, os.R_OK):
        raise DataDirectoryError(f"You may not read the signing key in {directory.path}. Give --token.")
    return lambda: operator_token(directory)
