"""`kei status`: whether all is well, and if not, what to do."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NoReturn

import httpx2
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from deploy.api_client import tls_context
from deploy.cli.common import HOME, URL, HomeOption, TokenOption, UrlOption, err, in_loop, out, token_source
from deploy.embedded.data_dir import DataDirectoryError
from deploy.migrate import SERVICES
from shared.api_client import ApiClient
from shared.status import AccessDenied, Finding, ServiceReport, ServiceStatus, age, collect_status, diagnose

WELL, SOMEBODY, UNKNOWN = 0, 1, 2
"""The exit status: all is well; something needs somebody; something is not reached, so nobody knows."""

_NARROW = 100
"""Columns of a terminal up to which the table is set close."""


def status(
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say whether all is well, and if not, what to do.

    Ends with 0 if all is well, 1 if something needs somebody, 2 if a service is not reached or the token is refused.
    """
    try:
        rows = in_loop(_look(url, token_source(home, given)()))
    except AccessDenied as error:
        _give_up(f"{url} {error}. Give --token, or --data-dir of the Kei that runs there.")
    except (DataDirectoryError, OSError, httpx2.InvalidURL) as error:
        _give_up(str(error))
    found = diagnose(rows)
    if as_json:
        typer.echo(json.dumps(_document(rows, found), ensure_ascii=False))
    else:
        _tell(url, rows, found)
    if any(row.status is None for row in rows):
        raise typer.Exit(UNKNOWN)
    raise typer.Exit(SOMEBODY if found else WELL)


def _give_up(sentence: str) -> NoReturn:
    err.print(sentence, markup=False, highlight=False)
    raise typer.Exit(UNKNOWN)


async def _look(url: str, token: str) -> list[ServiceReport]:
    async with httpx2.AsyncClient(trust_env=False, verify=tls_context()) as http:
        return await collect_status(ApiClient(http, f"{url.rstrip('/')}/api"), token, SERVICES)


def _document(rows: Sequence[ServiceReport], found: Sequence[Finding]) -> dict[str, Any]:
    return {
        "well": not found,
        "services": [
            {
                "service": row.service,
                "reached": row.status is not None,
                "reason": row.reason or None,
                "status": row.status.model_dump(mode="json") if row.status else None,
            }
            for row in rows
        ],
        "findings": [finding._asdict() for finding in found],
    }


def _tell(url: str, rows: Sequence[ServiceReport], found: Sequence[Finding]) -> None:
    if not any(row.status for row in rows):
        _give_up(f"Nothing of Kei is reached at {url}: {rows[0].service} {rows[0].reason}.")
    out.print("[bold green]All is well.[/]" if not found else f"[bold red]{_verdict(len(found))}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(out.width > _NARROW), 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("version", "schema", "to send", "to handle", "dead", "lag", "lost"):
        table.add_column(name, overflow="fold", no_wrap=True)
    table.add_column("relay", overflow="fold")
    for row in rows:
        table.add_row(row.service, *(map(Text, _cells(row.status)) if row.status else ["not reached"]))
    out.print(table)
    for finding in found:
        out.print(finding.message, markup=False, highlight=False)
        out.print(f"  {finding.remedy}", markup=False, highlight=False)


def _verdict(number: int) -> str:
    return "1 thing needs somebody:" if number == 1 else f"{number} things need somebody:"


def _cells(told: ServiceStatus) -> Iterator[str]:
    sending, inbox = told.outbox, told.inbox
    yield told.version
    schema = told.revision
    found = "" if schema is None else (schema.applied or "none").removeprefix(f"{told.service}_")
    yield found if schema is None or schema.state == "current" else f"{found}, {schema.state}"
    yield _waiting(sending.unsent, sending.oldest_unsent_age_seconds)
    pending = sum(one.pending for one in inbox)
    yield _waiting(pending, max((one.oldest_pending_age_seconds for one in inbox), default=0.0)) if inbox else "–"
    yield str(told.dead) if inbox else "–"
    yield _sum([one.lag for one in inbox])
    yield _sum([one.lost_records for one in inbox])
    yield f"{sending.leader or 'nobody'}, epoch {sending.epoch}, heard {age(sending.heartbeat_age_seconds)} ago"


def _waiting(number: int, seconds: float) -> str:
    return f"{number}, for {age(seconds)}" if number else "0"


def _sum(figures: Sequence[int | None]) -> str:
    known = [one for one in figures if one is not None]
    return str(sum(known)) if known else "–"
