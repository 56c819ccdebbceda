"""`kei run` and `kei load`."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deploy.api_client import open_client
from deploy.cli.common import (
    HOME,
    URL,
    HomeOption,
    TokenOption,
    UrlOption,
    in_loop,
    out,
    progress,
    sentences,
    token_source,
)
from deploy.embedded.app import EmbeddedConfig, build, check_port, operator_token
from deploy.embedded.data_dir import DataDirectory, DataDirectoryError
from deploy.sample_data.load import Loader
from deploy.sample_data.read import ParsedFile, read_file
from deploy.sample_data.report import report
from shared import gc_tuning, logs, telemetry
from shared.web import DRAIN, serve

TRACE_KEI = Path(__file__).parent.parent / "stories" / "trace_kei.yaml"


def run(
    home: HomeOption = HOME,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="KEI_PORT", min=1, max=65535)] = 8700,
    kafka: Annotated[
        str | None, typer.Option(envvar="KEI_KAFKA_BOOTSTRAP_SERVERS", help="host:port of a broker.")
    ] = None,
    story: Annotated[Path, typer.Option(help="The story to load.")] = TRACE_KEI,
    story_only: Annotated[
        bool, typer.Option("--story-only", help="Load the story, say what became of it, end.")
    ] = False,
    no_story: Annotated[bool, typer.Option("--no-story", help="Start empty, or with what is there.")] = False,
) -> None:
    """Start everything in one process, on an embedded PostgreSQL, and load a story."""
    with sentences():
        loaded = None if no_story else read_file(story)
        check_port(host, port)
        where = EmbeddedConfig(DataDirectory(home), host, port, kafka)
        with where.home.held():
            logs.set_up("kei", stream=(where.home.path / "kei.log").open("a", buffering=1))
            telemetry.set_up("kei")
            fine = in_loop(_run(where, loaded, stay=not story_only))
    raise typer.Exit(0 if fine else 1)


def load(
    file: Annotated[Path, typer.Argument(help="A consortium in the format of deploy/stories/trace_kei.yaml.")],
    url: UrlOption = URL,
    home: HomeOption = HOME,
    token: TokenOption = None,
) -> None:
    """Load a consortium through the public APIs of a running Kei. Loading it again changes nothing."""
    with sentences():
        loaded = read_file(file)
        fine = in_loop(_load(url, token_source(home, token), loaded))
    raise typer.Exit(0 if fine else 1)


async def _run(where: EmbeddedConfig, loaded: ParsedFile | None, *, stay: bool) -> bool:
    begun = time.monotonic()
    with progress("Starting PostgreSQL and the services"):
        application = await build(where)
    gc_tuning.freeze_startup_objects()
    serving = asyncio.create_task(serve(application, where.host, where.port, notice=0.2))
    try:
        await _ready(where, serving)
        out.print(f"Ready in {time.monotonic() - begun:.1f} s at {where.url}  [dim](log: {where.home.path}/kei.log)[/]")
        fine = loaded is None or await _load(where.url, lambda: operator_token(where.home), loaded)
        if stay:
            _tell(where)
            await serving
    finally:
        DRAIN.begin()
        await asyncio.wait([serving])
    return fine


async def _ready(where: EmbeddedConfig, serving: "asyncio.Task[None]") -> None:
    """Wait until the port is served, or raise what prevented it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 60
    while loop.time() < until:
        if serving.done():
            await serving
            raise DataDirectoryError(f"Kei did not start; its log is {where.home.path}/kei.log.")
        try:
            _, writer = await asyncio.open_connection(where.host, where.port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise DataDirectoryError(f"Kei did not start within a minute; its log is {where.home.path}/kei.log.")


async def _load(url: str, token: Callable[[], str], loaded: ParsedFile) -> bool:
    async with open_client(url, token) as api:
        with progress(f"Loading {loaded.story.consortium.name}") as tell:
            await Loader(api, loaded, tell).play()
        return await report(api, out)


def _tell(where: EmbeddedConfig) -> None:
    out.print(f"\n[bold]{where.url}[/]            the consortium, its pairs, its trainings, the feed")
    out.print(f"{where.url}/api/…      members, trainings, matching, notifications; each has /openapi.json")
    out.print("[dim]Ctrl-C ends it; what is in the folder is there again at the next start.[/]")
