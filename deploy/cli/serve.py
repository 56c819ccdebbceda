"""`kei serve`, `kei migrate` and `kei secrets`: what a deployment of single services needs."""

import importlib
import os
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from deploy.cli.common import in_loop, out, sentences
from deploy.databases import SettingsError, database_url
from deploy.migrate import SERVICES, upgrade
from deploy.schema_check import check_schema
from deploy.secrets import create_missing
from shared import gc_tuning, logs, telemetry, web
from shared.settings import Settings

CONSOLE = "console"
SECRET = 32
"""Characters of a secret, at least."""
S = TypeVar("S", bound=BaseSettings)

ServiceArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]


def known(service: str) -> str:
    """The service's name, if it is one.

    Raises:
        typer.BadParameter: it is none.
    """
    if service not in SERVICES:
        raise typer.BadParameter(f"There is no service {service!r}; there are {', '.join(SERVICES)}.")
    return service


def serve_one(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join((*SERVICES, CONSOLE))}.")],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KEI_PORT", min=1, max=65535)] = 8000,
) -> None:
    """Run one service, or the console, by its environment (KEI_…) and the files of KEI_SECRETS_DIR."""
    logs.set_up(service)
    telemetry.set_up(service)
    with sentences():
        app = _console() if service == CONSOLE else _service(known(service))
        gc_tuning.freeze_startup_objects()
        in_loop(web.serve(app, host, port))


def _service(name: str) -> FastAPI:
    settings = _read(Settings)
    if len(settings.cursor_secret.get_secret_value()) < SECRET:
        raise SettingsError(f"KEI_CURSOR_SECRET is weak: it needs {SECRET} characters.")
    in_loop(check_schema(name, settings.database_url.get_secret_value()))
    try:
        app: FastAPI = importlib.import_module(f"services.{name}.main").build(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return app


def _console() -> FastAPI:
    # as the services: only who runs it needs what it needs
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
    url: Annotated[str | None, typer.Option("--database-url", envvar="KEI_DATABASE_URL", help="postgresql://…")] = None,
) -> None:
    """Bring a service's database to its newest schema, or all of them. Safe to run again.

    All of them, or one without an address, are found by KEI_<SERVICE>_DATABASE_URL or the files of KEI_SECRETS_DIR.
    """
    with sentences():
        if service is None and url is not None:
            raise SettingsError("--database-url is the address of one service's database: name the service.")
        for name in SERVICES if service is None else (known(service),):
            in_loop(upgrade(name, url or database_url(name)))
            out.print(f"{name} is at its newest schema.")


def secrets(
    folder: Annotated[Path, typer.Argument(envvar="KEI_SECRETS", help="Where to; made if it is not there.")],
    host: Annotated[str, typer.Option(envvar="KEI_HOST", help="The name of this deployment.")] = "localhost",
) -> None:
    """Make the secrets of a deployment that are missing, and renew certificates that end. Safe to run again."""
    with sentences():
        made = create_missing(folder, host)
    out.print(f"Made in {folder}: {', '.join(made) or 'nothing, all secrets are there'}.")
