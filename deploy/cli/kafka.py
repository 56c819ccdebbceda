"""`kei topics`, and what all commands have in common that administer Kafka."""

import os
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.common import err, in_loop, out, secret_file, sentences
from deploy.databases import SettingsError
from deploy.kafka.acls import service_rules
from deploy.kafka.admin import KafkaAdmin
from deploy.kafka.topics import PARTITIONS, create_topics, differences
from deploy.migrate import SERVICES
from shared.events import topics as all_topics
from shared.transport.kafka_connection import KafkaConnectionSettings

PASSWORD_HELP = "A file with the password; else KEI_KAFKA_PASSWORD, or kei_kafka_password in KEI_SECRETS_DIR."  # noqa: S105  no password
USER_HELP = "Its SASL/SCRAM-SHA-512 user. KEI_KAFKA_CA_FILE, a file, or KEI_KAFKA_TLS=1 mean TLS."


def access(servers: str, user: str | None, password_file: Path | None) -> KafkaConnectionSettings:
    """Access to a cluster by the options and environment of a command.

    Raises:
        BadSettings: they do not fit together.
        OSError: a file cannot be read.
    """
    ca = os.environ.get("KEI_KAFKA_CA_FILE")
    tls = os.environ.get("KEI_KAFKA_TLS", "").lower() in {"1", "on", "true", "yes"}
    try:
        return KafkaConnectionSettings(
            servers, user, _password(password_file) if user else None, Path(ca) if ca else None, tls
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _password(file: Path | None) -> str | None:
    found = file or secret_file("kei_kafka_password")
    if file is None and (given := os.environ.get("KEI_KAFKA_PASSWORD")):
        return given
    return found.read_text().strip() if found else None


def topics(
    kafka: Annotated[str, typer.Option(envvar="KEI_KAFKA_BOOTSTRAP_SERVERS", help="host:port of a broker.")],
    partitions: Annotated[int, typer.Option(envvar="KEI_KAFKA_PARTITIONS", min=1, max=1000)] = PARTITIONS,
    replication: Annotated[int, typer.Option(envvar="KEI_KAFKA_REPLICATION_FACTOR", min=1, max=7)] = 1,
    retention_days: Annotated[
        int | None,
        typer.Option(envvar="KEI_TOPIC_RETENTION_DAYS", min=1, help="Keep records so long; for ever if left out."),
    ] = None,
    user: Annotated[str | None, typer.Option(envvar="KEI_KAFKA_USER", help=USER_HELP)] = None,
    password_file: Annotated[Path | None, typer.Option(help=PASSWORD_HELP)] = None,
    principals: Annotated[
        Path | None,
        typer.Option(
            help="Make each service a Kafka user with the password in this folder's file <service>_kafka_password,"
            " and with the rights it needs and no others."
        ),
    ] = None,
) -> None:
    """Create the Kafka topics that are missing. Safe to run again.

    Topics that are there are left as they are. What is not as asked for is told; with fewer partitions than asked for
    the command ends with 1, since no more readers than that can share the work.
    """
    with sentences():
        to = access(kafka, user, password_file)
        created = in_loop(
            create_topics(to, partitions=partitions, replication=replication, retention_days=retention_days)
        )
        out.print(f"Created: {', '.join(created) or 'nothing, all topics are there'}.")
        there = set(all_topics()).difference(created)
        found = in_loop(differences(to, there, partitions=partitions, retention_days=retention_days)) if there else []
        for one in found:
            err.print(one.sentence, markup=False, highlight=False, soft_wrap=True)
        if principals is not None:
            _make_users(to, {service: _read(principals / f"{service}_kafka_password") for service in SERVICES})
    raise typer.Exit(1 if any(one.too_few for one in found) else 0)


def _make_users(to: KafkaConnectionSettings, passwords: dict[str, str]) -> None:
    given = taken = 0
    with KafkaAdmin(to) as admin:
        for service, password in passwords.items():
            more, less = admin.allow(service, service_rules(service))
            admin.put_user(service, password)
            given, taken = given + more, taken + less
    out.print(f"Kafka users: {', '.join(passwords)}; {given} rights given, {taken} taken away.")


def _read(file: Path) -> str:
    try:
        password = file.read_text().strip()
    except OSError as error:
        raise SettingsError(f"The password of a Kafka user cannot be read: {file}: {error.strerror}.") from error
    if not password:
        raise SettingsError(f"The password of a Kafka user is missing: {file} is empty.")
    return password
