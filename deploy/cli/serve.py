"""`kei serve` and `kei migrate`: the processes of a deployment."""

import importlib
import os
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.cli.common import in_loop, out, user_errors
from deploy.cli.options import known
from deploy.databases import SERVICES, SettingsError, database_url
from deploy.migrate import upgrade
from deploy.schema_check import check_schema
from shared import gc_tuning, logs, telemetry, web
from shared.settings import Settings

CONSOLE = "console"
MIN_SECRET_LENGTH = 32
"""In characters."""
S = TypeVar("S", bound=BaseSettings)


def serve(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join((*SERVICES, CONSOLE))}.")],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KEI_PORT", min=1, max=65535, help="Port to listen at.")] = 8000,
) -> None:
    """Run a service or the console. Settings come from KEI_… variables and from the files of KEI_SECRETS_DIR."""
    logs.set_up(service)
    telemetry.set_up(service)
    with user_errors():
        app = _console() if service == CONSOLE else _service(known(service))
        gc_tuning.freeze_startup_objects()
        in_loop(web.serve(app, host, port))


def _service(name: str) -> FastAPI:
    settings = _read(Settings)
    if len(settings.cursor_secret.get_secret_value()) < MIN_SECRET_LENGTH:
        raise SettingsError(f"KEI_CURSOR_SECRET is weak: it needs {MIN_SECRET_LENGTH} characters.")
    in_loop(check_schema(name, settings.database_url.get_secret_value()))
    try:
        app: FastAPI = importlib.import_module(f"services.{name}.main").build(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return app


def _console() -> FastAPI:
    # imported here, since only the console needs its dependencies
    main = importlib.import_module("services.console.main")
    settings = importlib.import_module("services.console.settings")
    app: FastAPI = main.from_environment(_read(settings.ConsoleSettings))
    return app


def _read(kind: type[S]) -> S:
    folder = os.environ.get("KEI_SECRETS_DIR")
    try:
        return kind(_secrets_dir=folder if folder and Path(folder).is_dir() else None)
    except ValidationError as error:
        faults = (f"KEI_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}." for fault in error.errors())
        raise SettingsError("\n".join(faults)) from error


def migrate(
    service: Annotated[str | None, typer.Argument(help=f"One of {', '.join(SERVICES)}; all if left out.")] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--database-url", envvar="KEI_DATABASE_URL", help="Address of the service's database: postgresql://…"
        ),
    ] = None,
) -> None:
    """Migrate the database of one service or of all to the newest schema. Safe to repeat.

    Without --database-url the addresses come from KEI_<SERVICE>_DATABASE_URL or from the files of KEI_SECRETS_DIR.
    """
    with user_errors():
        if service is None and url is not None:
            raise SettingsError("--database-url is the address of one service's database: name the service.")
        for name in SERVICES if service is None else (known(service),):
            in_loop(upgrade(name, url or database_url(name)))
            out.print(f"{name} is at its newest schema.")
