"""`kei status`: problems of a running Kei, with their remedies."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NoReturn

import httpx2
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from deploy.api_client import tls_context
from deploy.cli.common import err, in_loop, out
from deploy.cli.options import ApiOptions, with_option_groups
from deploy.databases import SERVICES
from deploy.embedded.data_dir import DataDirectoryError
from shared.api_client import ApiClient
from shared.status import AccessDenied, Finding, ServiceReport, ServiceStatus, age, collect_status, diagnose

OK, PROBLEMS, UNKNOWN = 0, 1, 2
"""Exit statuses; unknown if a service does not respond or the token is refused."""

_NARROW = 100
"""Terminal width up to which the table has no padding."""


@with_option_groups
def status(
    connection: ApiOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Show the state of all services, and the remedy of each problem.

    Exit status: 0 without problems, 1 with problems, 2 if a service does not respond or the token is refused.
    """
    url = connection.url
    try:
        rows = in_loop(_collect(url, connection.token_source()()))
    except AccessDenied as error:
        _exit_unknown(f"{url} {error}. Give --token, or --data-dir of the Kei that runs there.")
    except (DataDirectoryError, OSError, httpx2.InvalidURL) as error:
        _exit_unknown(str(error))
    problems = diagnose(rows)
    if as_json:
        typer.echo(json.dumps(_document(rows, problems), ensure_ascii=False))
    else:
        _print(url, rows, problems)
    if any(row.status is None for row in rows):
        raise typer.Exit(UNKNOWN)
    raise typer.Exit(PROBLEMS if problems else OK)


def _exit_unknown(sentence: str) -> NoReturn:
    err.print(sentence, markup=False, highlight=False)
    raise typer.Exit(UNKNOWN)


async def _collect(url: str, token: str) -> list[ServiceReport]:
    async with httpx2.AsyncClient(trust_env=False, verify=tls_context()) as http:
        return await collect_status(ApiClient(http, f"{url.rstrip('/')}/api"), token, SERVICES)


def _document(rows: Sequence[ServiceReport], problems: Sequence[Finding]) -> dict[str, Any]:
    return {
        "well": not problems,
        "services": [
            {
                "service": row.service,
                "reached": row.status is not None,
                "reason": row.reason or None,
                "status": row.status.model_dump(mode="json") if row.status else None,
            }
            for row in rows
        ],
        "findings": [finding._asdict() for finding in problems],
    }


def _print(url: str, rows: Sequence[ServiceReport], problems: Sequence[Finding]) -> None:
    if not any(row.status for row in rows):
        _exit_unknown(f"Nothing of Kei is reached at {url}: {rows[0].service} {rows[0].reason}.")
    out.print("[bold green]All is well.[/]" if not problems else f"[bold red]{_verdict(len(problems))}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(out.width > _NARROW), 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("version", "schema", "to send", "to handle", "dead", "lag", "lost"):
        table.add_column(name, overflow="fold", no_wrap=True)
    table.add_column("relay", overflow="fold")
    for row in rows:
        table.add_row(row.service, *(map(Text, _cells(row.status)) if row.status else ["not reached"]))
    out.print(table)
    for finding in problems:
        out.print(finding.message, markup=False, highlight=False)
        out.print(f"  {finding.remedy}", markup=False, highlight=False)


def _verdict(number: int) -> str:
    return "1 problem:" if number == 1 else f"{number} problems:"


def _cells(status: ServiceStatus) -> Iterator[str]:
    sending, inbox = status.outbox, status.inbox
    yield status.version
    schema = status.revision
    revision = "" if schema is None else (schema.applied or "none").removeprefix(f"{status.service}_")
    yield revision if schema is None or schema.state == "current" else f"{revision}, {schema.state}"
    yield _waiting(sending.unsent, sending.oldest_unsent_age_seconds)
    pending = sum(topic.pending for topic in inbox)
    yield _waiting(pending, max((topic.oldest_pending_age_seconds for topic in inbox), default=0.0)) if inbox else "–"
    yield str(status.dead) if inbox else "–"
    yield _sum([topic.lag for topic in inbox])
    yield _sum([topic.lost_records for topic in inbox])
    yield f"{sending.leader or 'nobody'}, epoch {sending.epoch}, heard {age(sending.heartbeat_age_seconds)} ago"


def _waiting(number: int, seconds: float) -> str:
    return f"{number}, for {age(seconds)}" if number else "0"


def _sum(figures: Sequence[int | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    return str(sum(known)) if known else "–"
