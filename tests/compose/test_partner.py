"""A partner at the deployment's Kafka, over TLS, with what it was handed."""

import asyncio
import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import Consumer, KafkaError

from deploy.cli.run import TRACE_KEI
from shared.events import PUBLIC_TOPIC
from shared.transport.kafka_connection import KafkaConnectionSettings
from tests.support.compose import Deployment
from tests.support.waiting import eventually

USER = "partner-smoke"


async def test_a_partner_reads_the_public_topic_and_nothing_else_until_it_is_revoked(
    deployed: Deployment, tmp_path: Path
) -> None:
    await deployed.kei("import", str(TRACE_KEI))
    access = _access(deployed, await deployed.tool("partner", "add", "smoke", "--kafka"), tmp_path / "ca.pem")
    assert json.loads(await _first(access, PUBLIC_TOPIC))
    for topic in ("kei.members.v1", "kei.matching.v1"):
        with pytest.raises(TopicAuthorizationFailedError):
            await _first(access, topic)
    async with AIOKafkaProducer(**access.options()) as writer:
        with pytest.raises(TopicAuthorizationFailedError):
            await writer.send_and_wait(PUBLIC_TOPIC, b"forged")

    await deployed.tool("partner", "revoke", "smoke", "--kafka")
    refusals: list[KafkaError] = []
    reader = Consumer({**_for_librdkafka(access), "group.id": f"{USER}.revoked", "error_cb": refusals.append})
    reader.subscribe([PUBLIC_TOPIC])
    try:
        await eventually(lambda: reader.poll(0.2) or refusals, 60.0)
    finally:
        reader.close()
    assert {refusal.code() for refusal in refusals} <= {KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001  its names
    assert refusals


def _access(deployed: Deployment, output: str, ca: Path) -> KafkaConnectionSettings:
    """By what was printed for the partner."""
    password = re.search(rf'username="{USER}" password="(\S+)"', output)
    authority = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", output, re.DOTALL)
    assert password
    assert authority
    ca.write_text(authority[0])
    return KafkaConnectionSettings(deployed.partner_kafka, USER, password[1], ca, tls=True)


async def _first(access: KafkaConnectionSettings, topic: str) -> bytes:
    reader = AIOKafkaConsumer(topic, **access.options(), group_id=f"{USER}.{uuid4()}", auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(30):
            await reader.start()
            return bytes((await reader.getone()).value)
    finally:
        await reader.stop()


def _for_librdkafka(access: KafkaConnectionSettings) -> dict[str, str]:
    """It tells a refused password from a broker that is away; aiokafka does not, and leaves its socket open."""
    return {
        "bootstrap.servers": access.servers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": access.user or "",
        "sasl.password": access.password or "",
        "ssl.ca.location": str(access.ca),
    }
