"""`kei serve`, `kei migrate` and `kei topics`: what a deployment of single services needs."""

import importlib
import os
from typing import Annotated

import typer
from fastapi import FastAPI
from pydantic import ValidationError

from deploy.cli.common import err, in_loop, out, sentences
from deploy.migrate import SERVICES, upgrade
from deploy.topics import create_topics
from shared import logs, telemetry, web
from shared.settings import Settings

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
    service: ServiceArgument,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KEI_PORT", min=1, max=65535)] = 8000,
) -> None:
    """Run one service by its environment (KEI_…), over Kafka."""
    known(service)
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            err.print(f"KEI_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}", markup=False)
        raise typer.Exit(2) from error
    logs.set_up(service)
    telemetry.set_up(service)
    with sentences():
        try:
            app: FastAPI = importlib.import_module(f"services.{service}.main").build(settings)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        in_loop(web.serve(app, host, port))


def migrate(
    service: ServiceArgument,
    url: Annotated[str, typer.Option("--database-url", envvar="KEI_DATABASE_URL", help="postgresql://…")],
) -> None:
    """Bring a service's database to its newest schema. Safe to run again."""
    known(service)
    with sentences():
        in_loop(upgrade(service, url))
    out.print(f"{service} is at its newest schema.")


def topics(
    kafka: Annotated[str, typer.Option(envvar="KEI_KAFKA", help="host:port of a broker.")],
    partitions: Annotated[int, typer.Option(min=1, max=1000)] = 8,
    replication: Annotated[int, typer.Option(min=1, max=7)] = int(os.environ.get("KEI_REPLICATION", "1")),
) -> None:
    """Create the Kafka topics that are missing. Safe to run again."""
    with sentences():
        created = in_loop(create_topics(kafka, partitions=partitions, replication=replication))
    out.print(f"Created: {', '.join(created) or 'nothing, all topics are there'}.")
