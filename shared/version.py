"""The version of this code, and the schema revisions that it knows."""

import os
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

from alembic.script import ScriptDirectory

_ROOT = Path(__file__).parent.parent


@cache
def version() -> str:
    """The version of the package, with the build it came from if KEI_BUILD names one: `0.1.0+2f1c9ab`."""
    project = _ROOT / "pyproject.toml"  # exists if Kei runs from a source tree without installation
    release = tomllib.loads(project.read_text())["project"]["version"] if project.is_file() else metadata.version("kei")
    build = os.environ.get("KEI_BUILD")
    return f"{release}+{build}" if build else str(release)


@cache
def revisions(service: str) -> tuple[str, ...]:
    """The schema revisions of a service, newest first; empty if the service has no database."""
    folder = _ROOT / "services" / service / "migrations"
    if not folder.is_dir():
        return ()
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    return tuple(script.revision for script in scripts.walk_revisions())
