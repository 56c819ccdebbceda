"""`kei partner`: partners, their API keys, and their way into Kafka."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from deploy.api_client import Api
from deploy.cli.common import HOME, URL, HomeOption, TokenOption, UrlOption, err, out, secret_file, sentences
from deploy.cli.kafka import PASSWORD_HELP, USER_HELP, access
from deploy.cli.operate import over_api, post
from deploy.databases import SettingsError
from deploy.kafka.admin import KafkaAdmin, KafkaAdminError
from deploy.kafka.client_config import KafkaClientConfig
from deploy.kafka.partners import BYTES_PER_SECOND, grant_access, partners_on_kafka, revoke_access, user_of
from shared.api_client import Json

partner = typer.Typer(no_args_is_help=True, help="Partners, their API keys, and their way into Kafka.")

NameArgument = Annotated[str, typer.Argument(help="The partner's name.", show_default=False)]
KafkaOption = Annotated[bool, typer.Option("--kafka", help="On Kafka as well.")]
RateOption = Annotated[
    int | None,
    typer.Option(
        "--bytes-per-second",
        min=1024,
        help=f"What it may read from each broker; {BYTES_PER_SECOND}, or as before, if left out.",
    ),
]
AdminOption = Annotated[
    str | None,
    typer.Option("--kafka-admin", envvar="KEI_KAFKA_BOOTSTRAP_SERVERS", help="host:port where Kafka is administered."),
]
UserOption = Annotated[str | None, typer.Option("--kafka-user", envvar="KEI_KAFKA_USER", help=USER_HELP)]
PasswordOption = Annotated[Path | None, typer.Option("--kafka-password-file", help=PASSWORD_HELP)]
AddressOption = Annotated[
    str | None,
    typer.Option("--kafka-address", envvar="KEI_PARTNER_KAFKA", help="host:port where partners reach Kafka."),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        "--kafka-ca",
        envvar="KEI_PARTNER_KAFKA_CA",
        help="The authorities of the certificate there, a PEM file; else ca.pem in KEI_SECRETS_DIR; else no TLS.",
    ),
]


@partner.command("add")
def add(  # noqa: PLR0913  the options of a command
    name: NameArgument,
    *,
    types: Annotated[list[str] | None, typer.Option("--type", help="An event type; all public ones if none.")] = None,
    kafka: KafkaOption = False,
    rate: RateOption = None,
    admin: AdminOption = None,
    user: UserOption = None,
    password_file: PasswordOption = None,
    address: AddressOption = None,
    ca: CaOption = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Add a partner and print its API key, once; with --kafka also a Kafka user, and programs that read as it."""

    async def work(api: Api) -> None:
        _show_key(name, await post(api, "notifications", "/partners", {"name": name, "types": types or []}))

    with sentences(), _cluster(admin if kafka else None, user, password_file, wanted=kafka) as cluster:
        door = _door(name, address, ca) if kafka else None
        if cluster is not None:
            cluster.rules(user_of(name))  # whoever may not even ask is told so before anything is made
        over_api(url, home, given, work)
        if cluster is not None and door is not None:
            note = f"On Kafka {name} sees every public event: --type counts for the feed only."
            _let_in(cluster, name, rate, door, [note] if types else [])


@partner.command("rotate")
def rotate(  # noqa: PLR0913  the options of a command
    name: NameArgument,
    *,
    kafka: KafkaOption = False,
    rate: RateOption = None,
    admin: AdminOption = None,
    user: UserOption = None,
    password_file: PasswordOption = None,
    address: AddressOption = None,
    ca: CaOption = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Give a partner one API key more; with --kafka also a new password, or a first one. Then revoke the old key."""

    async def work(api: Api) -> None:
        found = await _found(api, name)
        _show_key(name, await post(api, "notifications", f"/partners/{found['id']}/keys", {}))
        for prefix in _live(found):
            _note(f"The key {prefix} stays live until you run: kei partner revoke {shlex.quote(name)} --key {prefix}")

    with sentences(), _cluster(admin if kafka else None, user, password_file, wanted=kafka) as cluster:
        door = _door(name, address, ca) if kafka else None
        over_api(url, home, given, work)
        if cluster is not None and door is not None:
            note = "Kafka refuses an old password from now on; who is connected stays so until it connects anew."
            _let_in(cluster, name, rate, door, [note])


@partner.command("revoke")
def revoke(  # noqa: PLR0913  the options of a command
    name: NameArgument,
    *,
    key: Annotated[str | None, typer.Option(help="The first part of one API key; all of them if left out.")] = None,
    kafka: KafkaOption = False,
    admin: AdminOption = None,
    user: UserOption = None,
    password_file: PasswordOption = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """End a partner's API keys, or one of them, from now on; with --kafka also its way into Kafka."""

    async def work(api: Api) -> None:
        found = await _found(api, name)
        for prefix in _live(found) if key is None else [key]:
            await api.request("DELETE", "notifications", f"/partners/{found['id']}/keys/{quote(prefix, safe='')}")
            typer.echo(f"The key {prefix} of {name} is revoked.")

    with sentences(), _cluster(admin if kafka else None, user, password_file, wanted=kafka) as cluster:
        if cluster is not None:
            typer.echo(
                f"Kafka's user {user_of(name)} {'is gone' if revoke_access(cluster, name) else 'was not there'}."
            )
        over_api(url, home, given, work)


@partner.command("list")
def show(
    admin: AdminOption = None,
    user: UserOption = None,
    password_file: PasswordOption = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """List partners with what they may read on the feed and their live keys; and whether on Kafka, if it is given."""

    async def work(api: Api) -> None:
        partners = await api.items("notifications", "/partners")
        users = None if cluster is None else partners_on_kafka(cluster, [one["name"] for one in partners])
        table = Table("partner", "types", "live keys", *([] if users is None else ["Kafka"]))
        for one in partners:
            there = [] if users is None else ["yes" if one["name"] in users else "no"]
            types = "\n".join(one["types"]) or "all public ones"
            table.add_row(Text(one["name"]), types, "\n".join(_live(one)), *there)
        out.print(table if partners else "There are no partners.")

    with sentences(), _cluster(admin, user, password_file) as cluster:
        over_api(url, home, given, work)


class _Door(NamedTuple):
    """Where partners reach Kafka, and the certificates by which they know it (PEM); without those, no TLS."""

    address: str
    ca: str | None


def _door(name: str, address: str | None, ca: Path | None) -> _Door:
    """The door for a partner. What is wrong with either is said before anything is made."""
    user_of(name)
    if address is None:
        raise SettingsError("--kafka needs --kafka-address or KEI_PARTNER_KAFKA: host:port where partners reach it.")
    file = ca or secret_file("ca.pem")
    return _Door(address, file.read_text() if file else None)


@contextmanager
def _cluster(
    admin: str | None, user: str | None, password_file: Path | None, *, wanted: bool = False
) -> Iterator[KafkaAdmin | None]:
    """The cluster to administer; None if it is not given, which must not be if it is wanted."""
    if admin is not None:
        with KafkaAdmin(access(admin, user, password_file)) as cluster:
            yield cluster
        return
    if wanted:
        raise SettingsError(
            "--kafka needs --kafka-admin or KEI_KAFKA_BOOTSTRAP_SERVERS: host:port where Kafka is administered."
        )
    yield None


def _let_in(cluster: KafkaAdmin, name: str, rate: int | None, door: _Door, notes: Sequence[str]) -> None:
    """Let a partner in whose key has been printed; print the notes, and what it needs."""
    try:
        password = grant_access(cluster, name, rate)
    except KafkaAdminError as error:
        raise KafkaAdminError(
            f"{error} The partner {name} and the key above are there. For Kafka: kei partner rotate {name} --kafka"
        ) from error
    for note in notes:
        _note(note)
    if door.ca is None:
        _note("What follows is for a door without TLS: there is no --kafka-ca, and no ca.pem in KEI_SECRETS_DIR.")
    typer.echo(f"\n{KafkaClientConfig(door.address, user_of(name), password, door.ca).text()}")


def _show_key(name: str, made: Mapping[str, object]) -> None:
    _note(f"API key of {name}, shown this once:")
    typer.echo(made["key"])


async def _found(api: Api, name: str) -> Json:
    for one in await api.items("notifications", "/partners"):
        if one["name"] == name:
            return one
    raise typer.BadParameter(f"There is no partner {name!r}.")


def _live(partner: Json) -> list[str]:
    return [key["prefix"] for key in partner["keys"] if key["revoked_at"] is None]


def _note(sentence: str) -> None:
    err.print(sentence, markup=False, highlight=False, soft_wrap=True)
