"""Templates and static files. Templates escape every value; the URL of a static file contains a hash of the content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.types import Scope

from services.console.view import formatting, labels
from shared import wording

_ROOT = Path(__file__).parent.parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
CONTENT_SECURITY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
# With "no-referrer" browsers would not send the Origin of forms, which the same-origin check needs.
_SECURITY_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY, "Referrer-Policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file."""

    body: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """The static files by name."""
    files = sorted((_ROOT / "static").iterdir())
    return {file.name: Asset(file.read_bytes(), _TYPES[file.suffix]) for file in files}


@cache
def _version() -> str:
    content = b"\0".join(asset.body for asset in assets().values())
    return hashlib.sha256(content).hexdigest()[:12]


def static(name: str) -> str:
    """The URL of a static file.

    Raises:
        LookupError: there is no such file.
    """
    if name not in assets():
        raise LookupError(name)
    return f"/static/{_version()}/{name}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static=static, labels=labels, formatting=formatting, wording=wording)
    return environment


def fragment(template: str, values: Mapping[str, Any]) -> str:
    """Part of a page."""
    return _environment().get_template(template).render(values)


def page(
    scope: Scope,
    template: str,
    values: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A whole page as the response to the request of `scope`."""
    text = fragment(template, {"user": scope["kei.user"], **values})
    return HTMLResponse(text, status, headers={**_SECURITY_HEADERS, **(headers or {})})
