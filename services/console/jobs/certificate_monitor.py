"""Exports the expiry of the TLS certificates at some addresses as a gauge for alerts."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from shared.background import every

TIMEOUT_SECONDS = 3.0
"""For a handshake."""
INTERVAL_SECONDS = 60.0
"""Between two checks."""

_log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Host and port of a TLS server, and the server name for the handshake."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        """The label of the metric: public name and port."""
        return f"{self.name}:{self.port}"


def parse_addresses(text: str) -> tuple[Address, ...]:
    """The addresses in a comma-separated list of `host:port` and `name@host:port`.

    Raises:
        ValueError: an item is neither.
    """
    return tuple(_address(item.strip()) for item in text.split(",") if item.strip())


def _address(text: str) -> Address:
    name, _, endpoint = text.rpartition("@")
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"{text!r} is neither host:port nor name@host:port")
    return Address(name or host, host, int(port))


class CertificateMonitor:
    """The expiry of each certificate at the last check. A scrape does not connect, because it would have to wait."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)
        self._not_after: dict[Address, float] = {}

    async def run(self) -> None:
        """Check once a minute, until cancelled."""
        if self._addresses:
            await every(INTERVAL_SECONDS, self.check, job="certificate check")

    async def check(self) -> None:
        """Read the certificates of all addresses."""
        ends = await asyncio.gather(*(_not_after(address) for address in self._addresses))
        self._not_after = dict(zip(self._addresses, ends, strict=True))

    async def collect(self) -> Iterable[Metric]:
        """The gauge; 0 for an address without a readable certificate."""
        gauge = GaugeMetricFamily(
            "kei_certificate_not_after_timestamp_seconds",
            "Unix time in seconds at which the certificate at this address expires; 0 if no TLS handshake succeeded",
            labels=["address"],
        )
        for address, not_after in self._not_after.items():
            gauge.add_metric([str(address)], not_after)
        return [gauge]


async def _not_after(address: Address) -> float:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            certificate = await _certificate(address)
        return x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except Exception as error:  # noqa: BLE001  a malformed certificate must not end the loop
        place, reason = f"{address.host}:{address.port}", str(error) or type(error).__name__
        _log.warning("certificate check failed", address=str(address), place=place, reason=reason)
        return 0.0


async def _certificate(address: Address) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # expired and privately signed certificates are read too
    _, writer = await asyncio.open_connection(address.host, address.port, ssl=context, server_hostname=address.name)
    try:
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate
    finally:
        writer.transport.abort()  # nothing was sent, so there is nothing to flush
