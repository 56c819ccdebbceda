"""The secrets of a deployment, as files. Existing files are kept.

Only the owner can open the folder; its files are readable, since containers read them under other users' ids.
"""

import json
from datetime import timedelta
from pathlib import Path

from deploy import certificates
from deploy.databases import SERVICES
from deploy.embedded.issuer import AUDIENCE, ISSUER
from deploy.errors import UserError
from shared import clock
from shared.auth import Issuer

RENEW_BEFORE = timedelta(days=30)
"""A certificate is renewed when it expires within this time."""
LIFETIME = timedelta(days=397)
AUTHORITY_LIFETIME = timedelta(days=3650)


class SecretsError(UserError):
    """The folder cannot be used; the text is a message for the operator."""


def create_missing(folder: Path, host: str) -> list[str]:
    """Create missing files, and renew the broker's certificate if it expires soon or names another host.

    Args:
        folder: created if it does not exist.
        host: host name of the broker for partners.

    Returns:
        The names of the created files.

    Raises:
        SecretsError: the folder or a file in it cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return [*_passwords(folder), *_issuer(folder), *_certificates(folder, host)]
    except OSError as error:
        raise SecretsError(f"The secrets in {folder} cannot be created: {error}.") from error
    except ValueError as error:
        message = f"A certificate or key in {folder} cannot be read ({error}). Remove it to have it created again."
        raise SecretsError(message) from error


def _passwords(folder: Path) -> list[str]:
    wanted = {
        "postgres_password": clock.secret(),
        "cursor_secret": clock.secret(),
        **{f"{name}_database_url": f"postgresql://{name}:{clock.secret()}@postgres:5432/{name}" for name in SERVICES},
        **{f"{name}_kafka_password": clock.secret() for name in SERVICES},
    }
    return [name for name, value in wanted.items() if _write_new(folder / name, value)]


def _issuer(folder: Path) -> list[str]:
    key, public = folder / "issuer.json", folder / "jwks.json"
    is_new = not key.exists()
    issuer = Issuer.load(key, issuer=ISSUER, audience=AUDIENCE)
    key.chmod(0o444)
    created = _write_new(public, json.dumps(issuer.jwks()))
    return [*([key.name] if is_new else []), *([public.name] if created else [])]


def _certificates(folder: Path, host: str) -> list[str]:
    now = clock.now()
    authority_key, authority = folder / "ca_key.pem", folder / "ca.pem"
    broker = folder / "kafka_tls.pem"
    created = []
    if not authority.exists():
        pair = certificates.create_authority("Kei, for partners on Kafka", now, now + AUTHORITY_LIFETIME)
        _write(authority_key, pair.key, mode=0o400)
        _write(authority, pair.certificate)
        created.append(authority.name)
    if not broker.exists() or certificates.needs_renewal(broker.read_bytes(), host, now + RENEW_BEFORE):
        signer = certificates.KeyAndCertificate(authority_key.read_bytes(), authority.read_bytes())
        pair = certificates.create_server_certificate(signer, [host, "kafka", "localhost"], now, now + LIFETIME)
        _write(broker, pair.key + pair.certificate)
        created.append(broker.name)
    return created


def _write_new(path: Path, value: str) -> bool:
    if path.exists():
        return False
    _write(path, value.encode())
    return True


def _write(path: Path, data: bytes, *, mode: int = 0o444) -> None:
    """Write the whole file or nothing, even if the machine stops."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(data)
    temporary.chmod(mode)
    temporary.replace(path)
