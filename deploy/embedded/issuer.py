"""The issuer of tokens whose key is in a data directory."""

from datetime import timedelta

from deploy.embedded.data_dir import DataDirectory
from shared.auth import Issuer, Principal, Role

ISSUER = "urn:kei:embedded"
AUDIENCE = "kei"


def issuer_of(data_dir: DataDirectory) -> Issuer:
    """The embedded issuer; its key is created at the first call."""
    return Issuer.load(data_dir.issuer_key, issuer=ISSUER, audience=AUDIENCE)


def operator_token(data_dir: DataDirectory, lifetime: timedelta = timedelta(hours=1)) -> str:
    """An operator token, for users that can read the data directory."""
    return issuer_of(data_dir).token(Principal("local-operator", frozenset({Role.operator})), lifetime)
