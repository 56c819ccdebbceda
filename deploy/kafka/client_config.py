"""Configuration of Kafka clients for a partner: files and programs that work as printed."""

import json
from dataclasses import dataclass

from shared.events import PUBLIC_TOPIC
from shared.transport.kafka_connection import MECHANISM

CA_FILE_NAME = "kei-ca.pem"
"""Name of the partner's file with the authorities' certificates."""


@dataclass(frozen=True, slots=True)
class KafkaClientConfig:
    """Configuration for one partner, with a group that it may use.

    Args:
        address: host:port of Kafka for partners.
        user: Kafka user; also the prefix of its groups.
        password: URL-safe text.
        ca: PEM of the authorities that sign the broker's certificate; None: no TLS.
    """

    address: str
    user: str
    password: str
    ca: str | None

    def text(self) -> str:
        """All files and programs; each begins with a title after three dashes."""
        parts = {
            "client.properties, for Java clients and Kafka's own commands": self._properties(),
            "kcat, with librdkafka 2.6.1 or newer": self._kcat(),
            "Python, with aiokafka 0.14": self._python(),
        }
        if self.ca is not None:
            parts[f"{CA_FILE_NAME}, a file that all three need in their folder"] = self.ca.strip()
        return "\n\n".join(f"--- {title}\n{part}" for title, part in parts.items())

    @property
    def _protocol(self) -> str:
        return "SASL_PLAINTEXT" if self.ca is None else "SASL_SSL"

    def _properties(self) -> str:
        login = "org.apache.kafka.common.security.scram.ScramLoginModule"
        lines = [
            f"bootstrap.servers={self.address}",
            f"group.id={self.user}.main",
            "auto.offset.reset=earliest",
            f"security.protocol={self._protocol}",
            f"sasl.mechanism={MECHANISM}",
            f'sasl.jaas.config={login} required username="{self.user}" password="{self.password}";',
        ]
        if self.ca is not None:
            lines += ["ssl.truststore.type=PEM", f"ssl.truststore.location={CA_FILE_NAME}"]
        return "\n".join(lines)

    def _kcat(self) -> str:
        options = {
            "security.protocol": self._protocol,
            "sasl.mechanism": MECHANISM,
            "sasl.username": self.user,
            "sasl.password": self.password,
        }
        if self.ca is not None:
            options["ssl.ca.location"] = CA_FILE_NAME
        flags = " ".join(f"-X {name}={value}" for name, value in options.items())
        return f"kcat -C -b {self.address} -t {PUBLIC_TOPIC} -o beginning -e -f '%h %s\\n' {flags}"

    def _python(self) -> str:
        login = {"sasl_mechanism": MECHANISM, "sasl_plain_username": self.user, "sasl_plain_password": self.password}
        helper = "from aiokafka.helpers import create_ssl_context\n"
        context = f', "ssl_context": create_ssl_context(cafile="{CA_FILE_NAME}")'
        return f"""\
import asyncio
from aiokafka import AIOKafkaConsumer
{"" if self.ca is None else helper}\
LOGIN = {json.dumps(login)}
SECURITY = {{"security_protocol": "{self._protocol}"{"" if self.ca is None else context}}}
CONSUMER = {{"bootstrap_servers": "{self.address}", "group_id": "{self.user}.main", "auto_offset_reset": "earliest"}}
async def main():
    async with AIOKafkaConsumer("{PUBLIC_TOPIC}", **CONSUMER, **SECURITY, **LOGIN) as events:
        async for event in events:
            headers = dict(event.headers)
            print(headers["ce_id"].decode(), headers["ce_type"].decode(), event.value.decode(), flush=True)
asyncio.run(main())"""
