"""`kei run` and `kei import`."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deploy.api_client import open_client
from deploy.cli.common import err, in_loop, out, progress, user_errors
from deploy.cli.options import DATA_DIR, ApiOptions, DataDirOption, with_option_groups
from deploy.embedded.app import EmbeddedConfig, build, check_port
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.embedded.issuer import operator_token
from deploy.sample_data.load import Loader
from deploy.sample_data.read import InvalidFile, ParsedFile, read_file
from deploy.sample_data.report import report
from shared import gc_tuning, logs, telemetry
from shared.background import retry_until
from shared.web import DRAIN, serve

TRACE_KEI = Path(__file__).parent.parent / "sample_data" / "trace_kei.yaml"
START_TIMEOUT = 60.0


def run(
    data_dir: DataDirOption = DATA_DIR,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KEI_PORT", min=1, max=65535, help="Port to listen at.")] = 8700,
    kafka: Annotated[
        str | None,
        typer.Option(
            envvar="KEI_KAFKA_BOOTSTRAP_SERVERS",
            help="host:port of a Kafka broker; events stay in PostgreSQL if left out.",
        ),
    ] = None,
    sample_data: Annotated[Path, typer.Option(help="Sample data to import.")] = TRACE_KEI,
    import_only: Annotated[
        bool, typer.Option("--import-only", help="Import the sample data, print the deliveries, exit.")
    ] = False,
    no_import: Annotated[bool, typer.Option("--no-import", help="Start without importing sample data.")] = False,
) -> None:
    """Start everything in one process, with an embedded PostgreSQL, and import sample data."""
    with user_errors():
        parsed = None if no_import else _read(sample_data)
        check_port(host, port)
        config = EmbeddedConfig(DataDirectory(data_dir), host, port, kafka)
        with config.data_dir.locked():
            logs.set_up("kei", stream=(config.data_dir.path / "kei.log").open("a", buffering=1))
            telemetry.set_up("kei")
            complete = in_loop(_run(config, parsed, stay=not import_only))
    raise typer.Exit(0 if complete else 1)


@with_option_groups
def import_file(
    connection: ApiOptions,
    file: Annotated[Path, typer.Argument(help="Consortium in the format of deploy/sample_data/trace_kei.yaml.")],
) -> None:
    """Import a consortium through the public APIs of a running Kei. Safe to repeat."""
    with user_errors():
        parsed = _read(file)
        complete = in_loop(_import(connection.url, connection.token_source(), parsed))
    raise typer.Exit(0 if complete else 1)


def _read(file: Path) -> ParsedFile:
    """The sample data in a file; ends the command with all faults if it has any."""
    try:
        return read_file(file)
    except InvalidFile as error:
        err.print(f"[bold]Nothing was loaded; {len(error.faults)} errors:[/]")
        for fault in error.faults:
            err.print(f"  {fault}", markup=False, highlight=False)
        raise typer.Exit(2) from error


async def _run(config: EmbeddedConfig, parsed: ParsedFile | None, *, stay: bool) -> bool:
    begun = time.monotonic()
    with progress("Starting PostgreSQL and the services"):
        application = await build(config)
    gc_tuning.freeze_startup_objects()
    serving = asyncio.create_task(serve(application, config.host, config.port, notice=0.2))
    try:
        await _wait_until_served(config, serving)
        log = config.data_dir.path / "kei.log"
        out.print(f"Ready in {time.monotonic() - begun:.1f} s at {config.url}  [dim](log: {log})[/]")
        complete = parsed is None or await _import(config.url, lambda: operator_token(config.data_dir), parsed)
        if stay:
            _print_addresses(config)
            await serving
    finally:
        DRAIN.begin()
        await asyncio.wait([serving])
    await serving
    return complete


async def _wait_until_served(config: EmbeddedConfig, serving: "asyncio.Task[None]") -> None:
    """Wait until the port accepts connections, or raise the error of the server."""
    log = config.data_dir.path / "kei.log"

    async def is_served() -> bool:
        if serving.done():
            return False
        _, writer = await asyncio.open_connection(config.host, config.port)
        writer.close()
        return True

    try:
        served = await retry_until(START_TIMEOUT, is_served, OSError, pause=0.05)
    except OSError as error:
        raise DataDirectoryError(f"Kei did not start within {START_TIMEOUT:.0f} s; its log is {log}.") from error
    if not served:
        await serving
        raise DataDirectoryError(f"Kei did not start; its log is {log}.")


async def _import(url: str, token: Callable[[], str], parsed: ParsedFile) -> bool:
    async with open_client(url, token) as api:
        with progress(f"Importing {parsed.content.consortium.name}") as show:
            await Loader(api, parsed, show).load()
        return await report(api, out)


def _print_addresses(config: EmbeddedConfig) -> None:
    out.print(f"\n[bold]{config.url}[/]            the consortium, its pairs, its trainings, the feed")
    out.print(f"{config.url}/api/…      members, trainings, matching, notifications; each has /openapi.json")
    out.print("[dim]Ctrl-C ends it; the data stay in the data directory.[/]")
