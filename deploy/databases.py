"""The services that have a database, and its addresses, from the environment or from secret files."""

import os
from pathlib import Path

from deploy.errors import UserError

SERVICES = ("members", "trainings", "matching", "notifications")
"""The services that have a database."""


class SettingsError(UserError):
    """A setting is missing or cannot be used; the text names it."""


def database_url(service: str) -> str:
    """Address of a service's database: KEI_<SERVICE>_DATABASE_URL, or <service>_database_url in KEI_SECRETS_DIR.

    Raises:
        SettingsError: neither is set.
    """
    name = f"KEI_{service.upper()}_DATABASE_URL"
    if url := os.environ.get(name):
        return url
    folder = os.environ.get("KEI_SECRETS_DIR")
    file = Path(folder) / f"{service}_database_url" if folder else None
    if file is None or not file.is_file():
        raise SettingsError(f"{name} is not set, and {file or 'KEI_SECRETS_DIR'} is not there.")
    return file.read_text().strip()
