"""A partner on Kafka, from its name to its end: what is printed for it works as it is printed."""

import asyncio
import json
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Consumer
from kafka.admin import (  # type: ignore[import-untyped]  # it has no types
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from deploy.kafka.admin import KafkaAdmin
from deploy.kafka.client_config import CA_FILE_NAME
from shared.transport.kafka_connection import KafkaConnectionSettings
from tests.support import factories, kafka_local
from tests.support.kafka_secured import SecuredBroker
from tests.support.kei import Kei
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]
REGISTERED = "kei.members.cluster.registered.v1"


@pytest.fixture
async def running(kei: Kei, secured_kafka: SecuredBroker) -> Kei:
    """A Kei that has published one event."""
    kei.kafka = secured_kafka.address
    await kei.start("--no-import")
    await kei.ready()
    async with kei.api() as api:
        consortium = await api.write("members", "/consortia", factories.consortium(), key="consortium")
        await api.write("members", "/clusters", factories.cluster(consortium["id"]), key="cluster")
    return kei


async def done(kei: Kei, *command: str) -> str:
    status, output = await kei.run_command("partner", *command)
    assert status == 0, output
    return output


async def refused(kei: Kei, *command: str) -> str:
    status, output = await kei.run_command("partner", *command)
    assert status != 0, output
    assert "Traceback" not in output
    return output


def key_in(output: str) -> str:
    """The API key that was printed."""
    (key,) = re.findall(r"^kei_\S+$", output, re.MULTILINE)
    return str(key)


def parts(output: str) -> dict[str, str]:
    """What was printed for the partner, by the first word of each part's title."""
    pieces = re.split(r"^--- (\S+?),? .*\n", output, flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


async def first_line(folder: Path, *command: str) -> str:
    """The first line that a program prints on its standard output; then it is ended."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            return (await process.stdout.readline()).decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def fed(kei: Kei, key: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=f"{kei.url}/api/notifications", trust_env=False) as partner:
        return await partner.get("/feed", headers={"X-API-Key": key})


async def test_what_is_printed_for_a_partner_works_as_it_is_printed(
    running: Kei, secured_kafka: SecuredBroker, tmp_path: Path
) -> None:
    where = ("--kafka-address", secured_kafka.tls, "--kafka-ca", str(secured_kafka.ca))
    output = await done(running, "add", "acme", "--kafka", "--type", REGISTERED, *where)
    assert "On Kafka acme sees every public event: --type is for the feed only." in output
    printed = parts(output)
    for name in ("client.properties", CA_FILE_NAME):
        (tmp_path / name).write_text(printed[name])

    async def items() -> Any:  # noqa: ANN401  as JSON has it
        return (await fed(running, key_in(output))).json()["items"]

    event = (await eventually(items, 30))[0]["event"]
    assert event["type"] == REGISTERED
    line = await first_line(tmp_path, sys.executable, "-c", printed["Python"])
    assert line.startswith(f"{event['id']} {REGISTERED} {{")
    data = json.loads(line.split(maxsplit=2)[2])
    assert data == event["data"]
    assert data == json.loads(await asyncio.to_thread(by_librdkafka, tmp_path, printed["kcat"]))
    if kafka_local.available():
        assert data == json.loads(await by_console(tmp_path))


async def by_console(folder: Path) -> str:
    """What Kafka's own command reads with the printed properties, in another group: the first has its members."""
    properties = folder / "client.properties"
    properties.write_text(properties.read_text().replace("partner-acme.main", "partner-acme.console"))
    address = re.findall(r"^bootstrap.servers=(.*)$", properties.read_text(), re.MULTILINE)[0]
    consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    options = ("--bootstrap-server", address, "--command-config", properties.name, "--topic", "kei.public.v1")
    once = ("--from-beginning", "--max-messages", "1", "--timeout-ms", "60000")
    process = await asyncio.create_subprocess_exec(
        *kafka_local.java_command(), consumer, *options, *once, cwd=folder, stdout=PIPE
    )
    output, _ = await process.communicate()
    return next(line for line in output.decode().splitlines() if line.startswith("{"))


def by_librdkafka(folder: Path, line: str) -> str:
    """What the library under kcat reads with the options of the printed line."""
    words = shlex.split(line)
    options = dict(option.split("=", 1) for flag, option in pairwise(words) if flag == "-X")
    options["ssl.ca.location"] = str(folder / options["ssl.ca.location"])
    where = {"bootstrap.servers": words[words.index("-b") + 1], "group.id": "partner-acme.kcat"}
    consumer = Consumer({**where, **options, "auto.offset.reset": "earliest"})
    consumer.subscribe([words[words.index("-t") + 1]])
    try:
        message = consumer.poll(60)
        assert message is not None
        assert message.error() is None
        return (message.value() or b"").decode()
    finally:
        consumer.close()


async def test_a_partners_way_into_kafka_is_renewed_told_and_closed(
    running: Kei, secured_kafka: SecuredBroker, tmp_path: Path
) -> None:
    where = ("--kafka", "--kafka-address", secured_kafka.scram)
    old = await done(running, "add", "acme", *where)
    new = await done(running, "rotate", "acme", *where, "--bytes-per-second", "5000")
    prefix = key_in(old).split("_")[1]
    assert f"kei partner revoke acme --key {prefix}" in new
    assert REGISTERED in await first_line(tmp_path, sys.executable, "-c", parts(new)["Python"])
    assert await first_line(tmp_path, sys.executable, "-c", parts(old)["Python"]) == ""

    await done(running, "add", "Not on Kafka", "--type", REGISTERED)
    listed = await done(running, "list")
    assert re.search(r"acme\s*│ all public ones\s*│ \S+\s*│ yes", listed)
    assert re.search(rf"Not on Kafka │ {REGISTERED}\s*│ \S+\s*│ no", listed)
    assert f"The key {prefix} of acme is revoked." in await done(running, "revoke", "acme", "--key", prefix)
    assert [(await fed(running, key_in(output_of_key))).status_code for output_of_key in (old, new)] == [401, 200]
    output = await done(running, "revoke", "acme", "--kafka")
    assert "Kafka's user partner-acme is removed." in output
    assert (await fed(running, key_in(new))).status_code == 401
    assert await first_line(tmp_path, sys.executable, "-c", parts(new)["Python"]) == ""
    assert "Kafka's user partner-acme does not exist." in await done(running, "revoke", "acme", "--kafka")


async def test_what_cannot_be_is_said_before_anything_is_made_or_with_what_is_left_to_do(
    running: Kei, secured_kafka: SecuredBroker, tmp_path: Path
) -> None:
    where = ("--kafka", "--kafka-address", secured_kafka.scram)
    assert "'Not on Kafka' cannot be on Kafka: names there have" in await refused(
        running, "add", "Not on Kafka", *where
    )
    assert "--kafka needs --kafka-address or KEI_PARTNER_KAFKA" in await refused(running, "add", "acme", "--kafka")
    _may_only_look(secured_kafka.address, "auditor")
    (tmp_path / "password").write_text("secret")
    auditor = (
        "--kafka-admin",
        secured_kafka.scram,
        "--kafka-password-file",
        str(tmp_path / "password"),
        "--kafka-user",
    )
    assert "the password of user nobody is refused" in await refused(running, "add", "acme", *where, *auditor, "nobody")
    assert "There are no partners." in await done(running, "list")

    output = await refused(running, "add", "acme", *where, *auditor, "auditor")
    assert "User auditor may not administer Kafka" in output
    assert "For Kafka run: kei partner rotate acme --kafka" in output
    assert (await fed(running, key_in(output))).status_code == 200
    assert "partner-acme" in parts(await done(running, "rotate", "acme", *where))["Python"]
    assert "There is no partner 'other'." in await refused(running, "rotate", "other", *where)
    assert "There is no partner 'other'." in await refused(running, "revoke", "other")


def _may_only_look(broker: str, user: str) -> None:
    """Create a user who may read access rules but not change them."""
    with KafkaAdmin(KafkaConnectionSettings(broker)) as admin:
        admin.put_user(user, "secret")
    cluster = ResourcePattern(ResourceType.CLUSTER, "kafka-cluster")
    client = KafkaAdminClient(bootstrap_servers=broker)
    client.create_acls([ACL(f"User:{user}", "*", ACLOperation.DESCRIBE, ACLPermissionType.ALLOW, cluster)])
    client.close()
