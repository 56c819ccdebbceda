"""Templates and static files: read once, escaped always, addressed by their content so that browsers may keep them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.types import Scope

from services.console.view import labels

_HERE = Path(__file__).parent.parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
CONTENT_SECURITY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
# Without a referrer browsers do not say the origin of a form either, by which it is told from another site's.
_SECURED = {"Content-Security-Policy": CONTENT_SECURITY, "Referrer-Policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file."""

    body: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """The static files by name."""
    files = sorted((_HERE / "static").iterdir())
    return {file.name: Asset(file.read_bytes(), _TYPES[file.suffix]) for file in files}


@cache
def _version() -> str:
    whole = b"\0".join(asset.body for asset in assets().values())
    return hashlib.sha256(whole).hexdigest()[:12]


def static(name: str) -> str:
    """The address of a static file.

    Raises:
        LookupError: there is no such file.
    """
    if name not in assets():
        raise LookupError(name)
    return f"/static/{_version()}/{name}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static=static, words=labels)
    return environment


def fragment(template: str, values: Mapping[str, Any]) -> str:
    """A piece of a page."""
    return _environment().get_template(template).render(values)


def page(
    scope: Scope,
    template: str,
    values: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A whole page, for whoever made the request of `scope`."""
    text = fragment(template, {"visitor": scope["kei.visitor"], **values})
    return HTMLResponse(text, status, headers={**_SECURED, **(headers or {})})
