"""`kei partner`: partners, their API keys, and their access to Kafka."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from deploy.api_client import Api
from deploy.cli.common import err, out, secret_file, user_errors
from deploy.cli.kafka_options import KafkaAdminOptions
from deploy.cli.options import ApiOptions, with_option_groups
from deploy.databases import SettingsError
from deploy.kafka.admin import KafkaAdmin, KafkaAdminError
from deploy.kafka.client_config import KafkaClientConfig
from deploy.kafka.partners import BYTES_PER_SECOND, grant_access, partners_on_kafka, revoke_access, user_of
from shared.api_client import Json
from shared.clock import new_id

partner = typer.Typer(no_args_is_help=True, help="Partners, their API keys, and their access to Kafka.")

NameArgument = Annotated[str, typer.Argument(help="Name of the partner.", show_default=False)]
KafkaOption = Annotated[bool, typer.Option("--kafka", help="Also on Kafka.")]


@dataclass(frozen=True)
class PartnerAccessOptions:
    """The access of a partner to Kafka."""

    kafka: KafkaOption = False
    rate: Annotated[
        int | None,
        typer.Option(
            "--bytes-per-second",
            min=1024,
            help=f"Read limit per broker; the present limit or {BYTES_PER_SECOND} if left out.",
        ),
    ] = None
    address: Annotated[
        str | None,
        typer.Option("--kafka-address", envvar="KEI_PARTNER_KAFKA", help="host:port of Kafka for partners."),
    ] = None
    ca: Annotated[
        Path | None,
        typer.Option(
            "--kafka-ca",
            envvar="KEI_PARTNER_KAFKA_CA",
            help="PEM file of the authorities that sign its certificate; else ca.pem in KEI_SECRETS_DIR; else no TLS.",
        ),
    ] = None

    @contextmanager
    def granting(self, name: str, admin: KafkaAdminOptions) -> Iterator["_Grant | None"]:
        """The access to grant; None without --kafka. All settings are checked before the block.

        Raises:
            SettingsError: a setting is missing.
        """
        if not self.kafka:
            yield None
            return
        user = user_of(name)
        with admin.required_cluster() as cluster:
            if self.address is None:
                raise SettingsError("--kafka needs --kafka-address or KEI_PARTNER_KAFKA: host:port for partners.")
            file = self.ca or secret_file("ca.pem")
            cluster.rules(user)  # fails early if this administrator may not read the rights of users
            yield _Grant(cluster, name, self.rate, self.address, file.read_text() if file else None)


@dataclass(frozen=True)
class _Grant:
    """Access to Kafka that is about to be granted. `ca` is PEM; None without TLS."""

    cluster: KafkaAdmin
    name: str
    rate: int | None
    address: str
    ca: str | None

    def grant(self, notes: Sequence[str]) -> None:
        """Grant the access of a partner whose API key has been printed; print the notes and the client's settings."""
        try:
            password = grant_access(self.cluster, self.name, self.rate)
        except KafkaAdminError as error:
            raise KafkaAdminError(
                f"{error} The partner {self.name} and the key above exist. For Kafka run:"
                f" kei partner rotate {self.name} --kafka"
            ) from error
        for note in notes:
            _note(note)
        if self.ca is None:
            _note("These settings are without TLS: there is no --kafka-ca, and no ca.pem in KEI_SECRETS_DIR.")
        typer.echo(f"\n{KafkaClientConfig(self.address, user_of(self.name), password, self.ca).text()}")


@partner.command("add")
@with_option_groups
def add(
    name: NameArgument,
    access: PartnerAccessOptions,
    admin: KafkaAdminOptions,
    connection: ApiOptions,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Event type; may be repeated; all public ones if left out.")
    ] = None,
) -> None:
    """Add a partner and print its API key. With --kafka: also create a Kafka user, and print a client's settings."""

    async def work(api: Api) -> None:
        body = {"name": name, "types": types or []}
        _print_key(name, await api.write("notifications", "/partners", body, key=str(new_id())))

    with user_errors(), access.granting(name, admin) as grant:
        connection.run(work)
        if grant is not None:
            grant.grant([f"On Kafka {name} sees every public event: --type is for the feed only."] if types else [])


@partner.command("rotate")
@with_option_groups
def rotate(name: NameArgument, access: PartnerAccessOptions, admin: KafkaAdminOptions, connection: ApiOptions) -> None:
    """Add an API key to a partner; revoke the old key afterwards. With --kafka: also set a new password."""

    async def work(api: Api) -> None:
        partner_id, live = await _find(api, name)
        _print_key(name, await api.write("notifications", f"/partners/{partner_id}/keys", {}, key=str(new_id())))
        for prefix in live:
            _note(f"The key {prefix} stays valid until you run: kei partner revoke {shlex.quote(name)} --key {prefix}")

    with user_errors(), access.granting(name, admin) as grant:
        connection.run(work)
        if grant is not None:
            grant.grant(["Kafka refuses the old password from now on; existing connections stay until they reconnect."])


@partner.command("revoke")
@with_option_groups
def revoke(
    name: NameArgument,
    admin: KafkaAdminOptions,
    connection: ApiOptions,
    key: Annotated[str | None, typer.Option(help="Prefix of one API key; all keys if left out.")] = None,
    kafka: KafkaOption = False,
) -> None:
    """Revoke a partner's API keys, or one of them. With --kafka: also remove its Kafka user."""

    async def work(api: Api) -> None:
        partner_id, live = await _find(api, name)
        for prefix in live if key is None else [key]:
            await api.request("DELETE", "notifications", f"/partners/{partner_id}/keys/{quote(prefix, safe='')}")
            typer.echo(f"The key {prefix} of {name} is revoked.")

    with user_errors():
        if kafka:
            with admin.required_cluster() as cluster:
                removed = revoke_access(cluster, name)
            typer.echo(f"Kafka's user {user_of(name)} {'is removed' if removed else 'does not exist'}.")
        connection.run(work)


@partner.command("list")
@with_option_groups
def show(admin: KafkaAdminOptions, connection: ApiOptions) -> None:
    """List partners with their event types, valid keys and, with --kafka-admin, whether they have a Kafka user."""

    async def work(api: Api) -> None:
        partners = await api.items("notifications", "/partners")
        users = None if cluster is None else partners_on_kafka(cluster, [row["name"] for row in partners])
        table = Table("partner", "types", "valid keys", *([] if users is None else ["Kafka"]))
        for row in partners:
            on_kafka = [] if users is None else ["yes" if row["name"] in users else "no"]
            types = "\n".join(row["types"]) or "all public ones"
            table.add_row(Text(row["name"]), types, "\n".join(_valid_keys(row)), *on_kafka)
        out.print(table if partners else "There are no partners.")

    with user_errors(), admin.optional_cluster() as cluster:
        connection.run(work)


def _print_key(name: str, created: Mapping[str, object]) -> None:
    _note(f"API key of {name}, shown only now:")
    typer.echo(created["key"])


async def _find(api: Api, name: str) -> tuple[str, list[str]]:
    """The id of a partner, and the prefixes of its valid keys."""
    for row in await api.items("notifications", "/partners"):
        if row["name"] == name:
            return str(row["id"]), _valid_keys(row)
    raise typer.BadParameter(f"There is no partner {name!r}.")


def _valid_keys(row: Json) -> list[str]:
    return [key["prefix"] for key in row["keys"] if key["revoked_at"] is None]


def _note(sentence: str) -> None:
    err.print(sentence, markup=False, highlight=False, soft_wrap=True)
