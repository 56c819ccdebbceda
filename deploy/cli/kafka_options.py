"""Options of commands that administer Kafka."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.common import secret_file
from deploy.databases import SettingsError
from deploy.kafka.admin import KafkaAdmin
from shared.transport.kafka_connection import KafkaConnectionSettings

USER_HELP = "SASL/SCRAM-SHA-512 user. KEI_KAFKA_CA_FILE or KEI_KAFKA_TLS=1 turns TLS on."
PASSWORD_HELP = "File with the password; else KEI_KAFKA_PASSWORD, or kei_kafka_password in KEI_SECRETS_DIR."  # noqa: S105  no password


@dataclass(frozen=True)
class KafkaAdminOptions:
    """How a command administers Kafka."""

    admin: Annotated[
        str | None,
        typer.Option(
            "--kafka-admin", envvar="KEI_KAFKA_BOOTSTRAP_SERVERS", help="host:port of Kafka's administration listener."
        ),
    ] = None
    user: Annotated[str | None, typer.Option("--kafka-user", envvar="KEI_KAFKA_USER", help=USER_HELP)] = None
    password_file: Annotated[Path | None, typer.Option("--kafka-password-file", help=PASSWORD_HELP)] = None

    @contextmanager
    def required_cluster(self) -> Iterator[KafkaAdmin]:
        """The cluster to administer.

        Raises:
            SettingsError: no address is given.
        """
        if self.admin is None:
            raise SettingsError(
                "--kafka needs --kafka-admin or KEI_KAFKA_BOOTSTRAP_SERVERS: host:port where Kafka is administered."
            )
        with KafkaAdmin(kafka_access(self.admin, self.user, self.password_file)) as cluster:
            yield cluster

    @contextmanager
    def optional_cluster(self) -> Iterator[KafkaAdmin | None]:
        """The cluster to administer; None if no address is given."""
        if self.admin is None:
            yield None
            return
        with self.required_cluster() as cluster:
            yield cluster


def kafka_access(servers: str, user: str | None, password_file: Path | None) -> KafkaConnectionSettings:
    """Connection settings by the options and the environment of a command.

    Raises:
        SettingsError: they contradict each other.
        OSError: a file cannot be read.
    """
    ca = os.environ.get("KEI_KAFKA_CA_FILE")
    tls = os.environ.get("KEI_KAFKA_TLS", "").lower() in {"1", "on", "true", "yes"}
    password = _password(password_file) if user else None
    try:
        return KafkaConnectionSettings(servers, user, password, Path(ca) if ca else None, tls)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _password(file: Path | None) -> str | None:
    if file is None and (password := os.environ.get("KEI_KAFKA_PASSWORD")):
        return password
    existing = file or secret_file("kei_kafka_password")
    return existing.read_text().strip() if existing else None
