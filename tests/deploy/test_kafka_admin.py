"""Who may do what on a real broker: what the registry and the consumers say, and not a step more."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError

from deploy.cli.kafka_options import kafka_access
from deploy.databases import SERVICES
from deploy.kafka.acls import Rule, partner_rules, service_rules
from deploy.kafka.admin import KafkaAdmin, KafkaAdminError
from deploy.kafka.partners import grant_access, partners_on_kafka, revoke_access
from deploy.kafka.topics import create_topics
from shared.events import topics
from shared.transport.kafka_connection import KafkaConnectionSettings
from tests.support.kafka_secured import SecuredBroker
from tests.support.kei import Kei
from tests.support.run import Run
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)

MEMBERS, TRAININGS, MATCHING, PUBLIC = "kei.members.v1", "kei.trainings.v1", "kei.matching.v1", "kei.public.v1"
TOPICS = [MEMBERS, TRAININGS, MATCHING, PUBLIC, "kei.public.v2", "kei.publicity.v1"]
GROUPS = [*SERVICES, "partner-acme.main", "partner-acme", "partner-acme-2.main"]
MAY: dict[str, dict[str, set[str]]] = {
    "members": {"write": {MEMBERS}},
    "trainings": {"write": {TRAININGS}, "read": {MEMBERS}, "join": {"trainings"}},
    "matching": {"write": {MATCHING}, "read": {MEMBERS, TRAININGS}, "join": {"matching"}},
    "notifications": {"write": {PUBLIC}, "read": {MEMBERS, TRAININGS, MATCHING}, "join": {"notifications"}},
    "partner-acme": {"read": {PUBLIC, "kei.public.v2"}, "join": {"partner-acme.main"}},
    "stranger": {},
}


def as_user(broker: SecuredBroker, user: str) -> KafkaConnectionSettings:
    return KafkaConnectionSettings(broker.scram, user, f"{user}'s password")


class KafkaUser:
    """A user of Kafka; each method is one operation, which the broker allows or refuses."""

    def __init__(self, access: KafkaConnectionSettings) -> None:
        self._options = access.options()

    async def write(self, topic: str) -> None:
        async with started(AIOKafkaProducer(**self._options)) as producer:
            await producer.send_and_wait(topic, b"written")

    async def read(self, topic: str) -> None:
        async with started(AIOKafkaConsumer(topic, auto_offset_reset="earliest", **self._options)) as consumer:
            await consumer.getone()

    async def describe(self, topic: str) -> None:
        async with started(AIOKafkaAdminClient(**self._options)) as admin:
            (description,) = await admin.describe_topics([topic])
            _refuse(description["error_code"])

    async def create(self, topic: str) -> None:
        async with started(AIOKafkaAdminClient(**self._options)) as admin:
            answer = await admin.create_topics([NewTopic(f"{topic}.new", 1, 1)], validate_only=True)
            _refuse(answer.topic_errors[0][1])

    async def join(self, group: str, topic: str) -> None:
        async with started(AIOKafkaAdminClient(**self._options)) as admin:
            await admin.find_coordinator(group)
        async with started(AIOKafkaConsumer(topic, group_id=group, **self._options)) as consumer:
            await eventually(consumer.assignment)


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:  # noqa: ANN401  aiokafka has no types
    """A client of aiokafka until the block ends. Its own `async with` leaves it open if it does not start."""
    try:
        await client.start()
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


def _refuse(code: int) -> None:
    if code == TopicAuthorizationFailedError.errno:
        raise TopicAuthorizationFailedError
    assert not code


async def allowed(act: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(20):
            await act
    except (GroupAuthorizationFailedError, TopicAuthorizationFailedError):
        return False
    return True


async def test_each_user_may_do_what_its_part_needs_and_nothing_else(secured_kafka: SecuredBroker) -> None:
    await create_topics(secured_kafka.address, TOPICS, partitions=1)
    with KafkaAdmin(KafkaConnectionSettings(secured_kafka.address)) as admin:
        for user in MAY:
            admin.put_user(user, f"{user}'s password")
        for service in SERVICES:
            admin.allow(service, service_rules(service))
        admin.allow("partner-acme", partner_rules("partner-acme"))
    anonymous = KafkaUser(KafkaConnectionSettings(secured_kafka.address))
    for topic in TOPICS:
        await anonymous.write(topic)
    async with started(AIOKafkaConsumer(PUBLIC, group_id="x", bootstrap_servers=secured_kafka.address)) as consumer:
        await eventually(consumer.assignment)  # from now on there is a topic for groups

    actual, expected = {}, {}
    for user, may in MAY.items():
        client = KafkaUser(as_user(secured_kafka, user))
        known = may.get("read", set()) | may.get("write", set())
        acts: dict[str, Callable[[str], Awaitable[None]]] = {
            "write": client.write,
            "read": client.read,
            "describe": client.describe,
            "create": client.create,
        }
        for act, topic in product(acts, TOPICS):
            actual[user, act, topic] = await allowed(acts[act](topic))
            expected[user, act, topic] = topic in (known if act == "describe" else may.get(act, set()))
        for group in GROUPS:
            actual[user, "join", group] = await allowed(client.join(group, min(known, default=PUBLIC)))
            expected[user, "join", group] = group in may.get("join", set())
    assert actual == expected


async def test_a_partner_reads_until_it_is_shut_out(secured_kafka: SecuredBroker) -> None:
    await create_topics(secured_kafka.address, [PUBLIC], partitions=1)
    with KafkaAdmin(KafkaConnectionSettings(secured_kafka.address)) as admin:
        access = KafkaConnectionSettings(secured_kafka.scram, "partner-acme", grant_access(admin, "acme", None))
        assert (admin.limit_of("partner-acme"), partners_on_kafka(admin, ["acme", "other"])) == (1024 * 1024, {"acme"})
        grant_access(admin, "acme", 5000)
        access = KafkaConnectionSettings(secured_kafka.scram, "partner-acme", grant_access(admin, "acme", None))
        assert admin.limit_of("partner-acme") == 5000

        consumer = AIOKafkaConsumer(PUBLIC, group_id="partner-acme.main", **access.options())
        async with started(consumer), started(AIOKafkaProducer(bootstrap_servers=secured_kafka.address)) as producer:
            await eventually(consumer.assignment)
            await consumer.seek_to_end()
            await producer.send_and_wait(PUBLIC, b"before")
            async with asyncio.timeout(20):
                assert (await consumer.getone()).value == b"before"
            assert revoke_access(admin, "acme")

            async def refused() -> bool:
                await producer.send_and_wait(PUBLIC, b"after")
                return not await allowed(consumer.getone())

            await eventually(refused, 60)  # what it had asked for before is still answered
        with pytest.raises(KafkaConnectionError):
            await KafkaUser(access).read(PUBLIC)
        assert (admin.limit_of("partner-acme"), admin.rules("partner-acme")) == (None, set())
        assert not revoke_access(admin, "acme")


async def test_topics_and_users_are_made_once_and_kept_as_they_should_be(
    secured_kafka: SecuredBroker, run: Run
) -> None:
    kei, passwords = Kei(run.new_folder(), secured_kafka.address), run.new_folder()
    for service in SERVICES:
        (passwords / f"{service}_kafka_password").write_text(f"{service}'s password\n")
    command = ("topics", "create", "--principals", str(passwords), "--partitions", "2", "--retention-days", "7")
    output = await run_successfully(kei, *command)
    assert f"Created: {', '.join(topics())}." in output
    rights = sum(len(service_rules(service)) for service in SERVICES)
    assert f"Kafka users: {', '.join(SERVICES)}; {rights} rights granted, 0 revoked." in output
    assert not await create_topics(secured_kafka.address)
    reader = KafkaUser(as_user(secured_kafka, "trainings"))
    assert await allowed(reader.describe(MEMBERS))

    (passwords / "trainings_kafka_password").write_text("new")
    with KafkaAdmin(KafkaConnectionSettings(secured_kafka.address)) as admin:
        admin.allow("trainings", [*service_rules("trainings"), Rule("read", "topic", MATCHING)])
        assert await allowed(reader.describe(MATCHING))
    output = await run_successfully(kei, *command)
    assert "Created: nothing, all topics exist." in output
    assert "0 rights granted, 1 revoked." in output
    with pytest.raises(KafkaConnectionError):
        await reader.describe(MEMBERS)
    reader = KafkaUser(KafkaConnectionSettings(secured_kafka.scram, "trainings", "new"))
    assert await allowed(reader.describe(MEMBERS))
    assert not await allowed(reader.describe(MATCHING))

    status, output = await kei.run_command("topics", "create", "--partitions", "8")
    assert status == 1
    assert f"Topic {PUBLIC} has 2 partitions, not 8." in output
    assert f"Topic {PUBLIC} keeps records for 7 days, not for ever." in output
    assert "keeps" in await run_successfully(kei, "topics", "create", "--partitions", "1")


async def test_what_stands_in_the_way_is_said_in_a_sentence(secured_kafka: SecuredBroker, run: Run) -> None:
    with KafkaAdmin(KafkaConnectionSettings(secured_kafka.address)) as admin:
        admin.put_user("stranger", "stranger's password")
    kei, folder = Kei(run.new_folder(), secured_kafka.scram), run.new_folder()
    (folder / "right").write_text("stranger's password")
    (folder / "wrong").write_text("password")

    async def refused(*options: str) -> str:
        status, output = await kei.run_command("topics", "create", *options)
        assert status == 1
        assert "Traceback" not in output
        return output

    stranger = ("--user", "stranger", "--password-file")
    assert "refuses, or does not respond: user stranger may not create or" in await refused(
        *stranger, f"{folder}/right"
    )
    assert f"{kei.kafka} is not reached, or the password of user stranger is refused." in await refused(
        *stranger, f"{folder}/wrong"
    )
    assert "A Kafka user needs a password" in await refused(*stranger[:2])
    with (
        KafkaAdmin(as_user(secured_kafka, "stranger")) as admin,
        pytest.raises(KafkaAdminError, match="User stranger may not administer Kafka"),
    ):
        admin.allow("stranger", [])
    kei.kafka = secured_kafka.address
    output = await refused("--principals", str(folder))
    assert f"cannot be read: {folder}/members_kafka_password: No such file or directory." in output


async def run_successfully(kei: Kei, *command: str) -> str:
    status, output = await kei.run_command(*command)
    assert status == 0, output
    return output


def test_a_password_is_looked_for_in_a_file_the_environment_and_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("KEI_")]:
        monkeypatch.delenv(name)
    (tmp_path / "kei_kafka_password").write_text("of the secrets\n")
    (tmp_path / "given").write_text("given\n")
    monkeypatch.setenv("KEI_SECRETS_DIR", str(tmp_path))
    assert kafka_access("kafka:9092", None, None) == KafkaConnectionSettings("kafka:9092")
    assert kafka_access("kafka:9092", "admin", None).password == "of the secrets"
    monkeypatch.setenv("KEI_KAFKA_PASSWORD", "of the environment")
    assert kafka_access("kafka:9092", "admin", None).password == "of the environment"
    assert kafka_access("kafka:9092", "admin", tmp_path / "given").password == "given"
    monkeypatch.setenv("KEI_KAFKA_TLS", "true")
    assert kafka_access("kafka:9092", None, None).options()["security_protocol"] == "SSL"
