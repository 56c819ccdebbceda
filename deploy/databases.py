"""Where the services' databases are: from the environment, or from secret files."""

import os
from pathlib import Path


class SettingsError(Exception):
    """A setting is missing or cannot be used; the text is a sentence that names it."""


def database_url(service: str) -> str:
    """The address of a service's database: KEI_<SERVICE>_DATABASE_URL, or <service>_database_url in KEI_SECRETS_DIR.

    Raises:
        BadSettings: there is neither.
    """
    name = f"KEI_{service.upper()}_DATABASE_URL"
    if given := os.environ.get(name):
        return given
    folder = os.environ.get("KEI_SECRETS_DIR")
    file = Path(folder) / f"{service}_database_url" if folder else None
    if file is None or not file.is_file():
        raise SettingsError(f"{name} is not set, and {file or 'KEI_SECRETS_DIR'} is not there.")
    return file.read_text().strip()
