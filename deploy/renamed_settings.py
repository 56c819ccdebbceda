"""Settings that were renamed. A set old name is an error, so that no value is lost silently."""

import os
from pathlib import Path

from deploy.databases import SettingsError

RENAMED = {
    "KEI_API": "KEI_API_URL",
    "KEI_CERTIFICATES": "KEI_MONITORED_CERTIFICATES",
    "KEI_HOME": "KEI_DATA_DIR",
    "KEI_JWKS": "KEI_JWKS_URL",
    "KEI_KAFKA": "KEI_KAFKA_BOOTSTRAP_SERVERS",
    "KEI_KAFKA_CA": "KEI_KAFKA_CA_FILE",
    "KEI_KAFKA_CLUSTER": "KEI_KAFKA_CLUSTER_ID",
    "KEI_PARTITIONS": "KEI_KAFKA_PARTITIONS",
    "KEI_REPLAN_SECONDS": "KEI_REPLAN_DEBOUNCE_SECONDS",
    "KEI_REPLICATION": "KEI_KAFKA_REPLICATION_FACTOR",
}
"""The new name of each setting by its old name."""


def refuse_old_names() -> None:
    """Check the environment and the files of KEI_SECRETS_DIR.

    Raises:
        BadSettings: with a sentence for each old name, which names the new one.
    """
    folder = os.environ.get("KEI_SECRETS_DIR")
    files = {file.name.upper() for file in Path(folder).iterdir()} if folder and Path(folder).is_dir() else set()
    sentences = [
        f"{old} is now {new}: rename it." for old, new in RENAMED.items() if os.environ.get(old) or old in files
    ]
    if sentences:
        raise SettingsError("\n".join(sentences))
