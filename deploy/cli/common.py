"""Output, the event loop and error messages of all commands."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.embedded.issuer import operator_token
from deploy.errors import UserError
from shared.api_client import ApiError, ServiceUnavailable

T = TypeVar("T")

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
    except (UserError, ApiError, ServiceUnavailable, OSError) as error:
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
