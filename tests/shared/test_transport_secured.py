"""Services on a broker with access control: each with its own user, with and without TLS."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from pydantic import SecretStr

from deploy.databases import SERVICES
from deploy.kafka.acls import Rule, service_rules
from deploy.kafka.admin import KafkaAdmin
from deploy.kafka.topics import create_topics
from services.members import main as members
from services.trainings import main as trainings
from shared.auth import Role
from shared.events.envelope import Record
from shared.transport import TransportError
from shared.transport.kafka import KafkaTransport
from shared.transport.kafka_connection import KafkaConnectionSettings
from tests.shared.messaging.harness import running
from tests.support import factories
from tests.support.kafka_secured import SecuredBroker
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)
MEMBERS = "kei.members.v1"
Create = Callable[[str], Awaitable[str]]


@pytest.fixture
async def broker(secured_kafka: SecuredBroker) -> SecuredBroker:
    await create_topics(secured_kafka.address, partitions=2)
    with KafkaAdmin(KafkaConnectionSettings(secured_kafka.address)) as admin:
        for service in SERVICES:
            admin.allow(service, service_rules(service))
            admin.put_user(service, f"{service}'s password")
    return secured_kafka


@asynccontextmanager
async def service(build: factories.Build, url: str, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A service as it runs alone: its transport is what its settings say."""
    app = build(factories.settings(url, **settings), keys=factories.keys())
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://kei.test") as client,
    ):
        yield client


async def test_an_event_goes_from_one_service_to_another_each_as_itself(
    broker: SecuredBroker, service_database: Create
) -> None:
    urls = {name: await service_database(name) for name in ("members", "trainings")}
    in_the_open = {
        "kafka_bootstrap_servers": broker.scram,
        "kafka_user": "members",
        "kafka_password": SecretStr("members's password"),
    }
    wrong = {
        "kafka_bootstrap_servers": broker.tls,
        "kafka_user": "trainings",
        "kafka_password": SecretStr("new"),
        "kafka_ca_file": broker.ca,
    }
    headers = factories.signed_in(Role.operator)
    with structlog.testing.capture_logs() as logs:
        async with (
            service(members.build, urls["members"], **in_the_open) as sender,
            service(trainings.build, urls["trainings"], **wrong) as reader,
        ):
            consortium = await sender.post("/consortia", json=factories.consortium(), headers=headers)
            cluster = factories.cluster(consortium.json()["id"])
            assert (await sender.post("/clusters", json=cluster, headers=headers)).status_code == 201
            sentence = (
                f"Kafka at {broker.tls} is not reached, or its certificate is not trusted,"
                " or the password of user trainings is refused"
            )
            await eventually(lambda: any(entry.get("reason") == sentence for entry in logs))
            assert [(await reader.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]
            with KafkaAdmin(KafkaConnectionSettings(broker.address)) as admin:
                admin.put_user("trainings", "new")

            async def known() -> list[dict[str, Any]]:
                return await factories.rows(urls["trainings"], "SELECT slug FROM cluster")

            assert await eventually(known, 30) == [{"slug": cluster["slug"]}]


class RecordingInbox:
    """An inbox that keeps what it gets in memory."""

    consumer, topics = "trainings", frozenset({MEMBERS})

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    async def receive(self, records: Sequence[tuple[str, Record]]) -> None:
        self.values += [record.value for _, record in records]


async def test_a_reader_whose_rights_were_taken_reads_on_when_they_are_given_back(broker: SecuredBroker) -> None:
    inbox, rules = RecordingInbox(), service_rules("trainings")
    transports = [
        KafkaTransport(KafkaConnectionSettings(broker.scram, user, f"{user}'s password"), user)
        for user in ("members", "trainings")
    ]
    sender, reader = transports
    reader.attach(inbox)
    sentence = f"user trainings may not read {MEMBERS} as group trainings"

    async def sent(value: bytes) -> None:
        await sender.send(MEMBERS, [Record(b"key", (), value)])

    async def arrives(value: bytes) -> None:
        await sent(value)
        await eventually(lambda: value in inbox.values, 30)

    with KafkaAdmin(KafkaConnectionSettings(broker.address)) as admin:
        async with running(reader.run()):
            for kind in ("topic", "group"):
                with structlog.testing.capture_logs() as logs:
                    admin.allow("trainings", rules)
                    await arrives(b"before %b" % kind.encode())
                    admin.allow("trainings", [rule for rule in rules if rule.kind != kind])
                    await sent(b"without %b" % kind.encode())
                    await eventually(lambda: any(entry.get("reason") == sentence for entry in logs), 30)
            admin.allow("trainings", rules)
            await arrives(b"after")
    assert set(inbox.values) == {b"before topic", b"without topic", b"before group", b"without group", b"after"}
    for transport in transports:
        await transport.close()


async def test_a_sender_without_the_right_says_so_and_sends_when_it_has_it(broker: SecuredBroker) -> None:
    transport, record = (
        KafkaTransport(KafkaConnectionSettings(broker.tls, "members", "members's password", broker.ca), "members"),
        Record(b"", (), b""),
    )
    with pytest.raises(
        TransportError, match=r"1 records for kei\.public\.v1: user members may not write to kei\.public\.v1"
    ):
        await transport.send("kei.public.v1", [record])
    with KafkaAdmin(KafkaConnectionSettings(broker.address)) as admin:
        admin.allow("members", [Rule("write", "topic", "kei.public.v1")])
        await transport.send("kei.public.v1", [record])
        admin.put_user("members", "other")
    await transport.close()
    with pytest.raises(TransportError, match="is not reached, or the password of user members is refused"):
        await KafkaTransport(KafkaConnectionSettings(broker.scram, "members", "members's password"), "members").send(
            MEMBERS, [record]
        )


def test_what_does_not_fit_together_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for user, password in (("members", None), (None, "secret")):
        with pytest.raises(ValueError, match="A Kafka user needs a password and a password a user"):
            KafkaConnectionSettings("kafka:9092", user, password)
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "none.pem"):
        with pytest.raises(
            ValueError, match=f"KEI_KAFKA_CA_FILE: {tmp_path}/{name} cannot be used as a file of authorities"
        ):
            KafkaConnectionSettings("kafka:9092", ca=tmp_path / name)
    access = KafkaConnectionSettings("kafka:9092", "members", "secret", tls=True)
    assert access.options()["security_protocol"] == "SASL_SSL"
    assert "secret" not in repr(access)
