"""`kei topics create`."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.common import err, in_loop, out, user_errors
from deploy.cli.kafka_options import PASSWORD_HELP, USER_HELP, kafka_access
from deploy.databases import SERVICES, SettingsError
from deploy.kafka.acls import service_rules
from deploy.kafka.admin import KafkaAdmin
from deploy.kafka.topics import PARTITIONS, create_topics, differences
from shared.events import topics as topic_names
from shared.transport.kafka_connection import KafkaConnectionSettings

topics = typer.Typer(no_args_is_help=True, help="Kafka topics of the event types.")


@topics.callback()
def _group() -> None:
    """Keep `create` a command of its own, although it is the only one."""


@topics.command("create")
def create(
    kafka: Annotated[str, typer.Option(envvar="KEI_KAFKA_BOOTSTRAP_SERVERS", help="host:port of a broker.")],
    partitions: Annotated[
        int, typer.Option(envvar="KEI_KAFKA_PARTITIONS", min=1, max=1000, help="Partitions of each topic.")
    ] = PARTITIONS,
    replication: Annotated[
        int, typer.Option(envvar="KEI_KAFKA_REPLICATION_FACTOR", min=1, max=7, help="Replicas of each partition.")
    ] = 1,
    retention_days: Annotated[
        int | None,
        typer.Option(envvar="KEI_TOPIC_RETENTION_DAYS", min=1, help="Days to keep records; for ever if left out."),
    ] = None,
    user: Annotated[str | None, typer.Option(envvar="KEI_KAFKA_USER", help=USER_HELP)] = None,
    password_file: Annotated[Path | None, typer.Option(help=PASSWORD_HELP)] = None,
    principals: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a file <service>_kafka_password for each service: create these Kafka users, with the"
            " rights that the services need and no others."
        ),
    ] = None,
) -> None:
    """Create missing Kafka topics. Safe to repeat.

    Existing topics are not changed; differences from the options are printed. If a topic has too few partitions the
    exit status is 1, since a partition is handled by one process at a time.
    """
    with user_errors():
        access = kafka_access(kafka, user, password_file)
        created = in_loop(
            create_topics(access, partitions=partitions, replication=replication, retention_days=retention_days)
        )
        out.print(f"Created: {', '.join(created) or 'nothing, all topics exist'}.")
        existing = set(topic_names()).difference(created)
        too_few = bool(existing) and _print_differences(access, existing, partitions, retention_days)
        if principals is not None:
            _create_users(access, {service: _read(principals / f"{service}_kafka_password") for service in SERVICES})
    raise typer.Exit(1 if too_few else 0)


def _print_differences(
    access: KafkaConnectionSettings, names: set[str], partitions: int, retention_days: int | None
) -> bool:
    """Print how topics differ from the options; return whether one has too few partitions."""
    topic_differences = in_loop(differences(access, names, partitions=partitions, retention_days=retention_days))
    for difference in topic_differences:
        err.print(difference.sentence, markup=False, highlight=False, soft_wrap=True)
    return any(difference.too_few for difference in topic_differences)


def _create_users(access: KafkaConnectionSettings, passwords: dict[str, str]) -> None:
    granted = revoked = 0
    with KafkaAdmin(access) as admin:
        for service, password in passwords.items():
            more, less = admin.allow(service, service_rules(service))
            admin.put_user(service, password)
            granted, revoked = granted + more, revoked + less
    out.print(f"Kafka users: {', '.join(passwords)}; {granted} rights granted, {revoked} revoked.")


def _read(file: Path) -> str:
    try:
        password = file.read_text().strip()
    except OSError as error:
        raise SettingsError(f"The password of a Kafka user cannot be read: {file}: {error.strerror}.") from error
    if not password:
        raise SettingsError(f"The password of a Kafka user is missing: {file} is empty.")
    return password
