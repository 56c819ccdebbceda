"""When the certificates of some addresses end, as a gauge: whoever watches learns of it before partners do."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from shared.clock import jitter

DEADLINE = 3.0
"""Seconds for a handshake."""
EVERY = 60.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class Address(NamedTuple):
    """Where a certificate is shown, and under which server name it is asked for."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        """As in the label: the name that those outside know it by, and the port behind it."""
        return f"{self.name}:{self.port}"


def addresses(given: str) -> tuple[Address, ...]:
    """What `host:port` and `name@host:port`, with commas between them, mean.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(_address(one.strip()) for one in given.split(",") if one.strip())


def _address(given: str) -> Address:
    name, _, place = given.rpartition("@")
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"{given!r} is neither host:port nor name@host:port")
    return Address(name or host, host, int(port))


class Certificates:
    """What the addresses showed when they were last asked. A scrape does not ask them: it would have to wait."""

    def __init__(self, watched: Sequence[Address]) -> None:
        self._watched = watched
        self._ends: dict[Address, float] = {}

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while self._watched:
            await self.look()
            await asyncio.sleep(jitter(EVERY))

    async def look(self) -> None:
        """Ask all addresses, once."""
        found = await asyncio.gather(*(_end(one) for one in self._watched))
        self._ends = dict(zip(self._watched, found, strict=True))

    async def collect(self) -> Iterable[Metric]:
        """The gauge; of an address that showed none it is 0."""
        gauge = GaugeMetricFamily(
            "kei_certificate_not_after_timestamp_seconds",
            "Unix time in seconds at which the certificate at this address expires; 0 if no TLS handshake succeeded",
            labels=["address"],
        )
        for address, ends in self._ends.items():
            gauge.add_metric([str(address)], ends)
        return [gauge]


async def _end(address: Address) -> float:
    try:
        async with asyncio.timeout(DEADLINE):
            shown = await _shown(address)
        return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
    except Exception as error:  # noqa: BLE001 - whatever a stranger shows, the others are looked at on
        place, reason = f"{address.host}:{address.port}", str(error) or type(error).__name__
        _log.warning("no certificate is shown", address=str(address), place=place, reason=reason)
        return 0.0


async def _shown(address: Address) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # one that has ended, or is trusted by partners only, is to be seen too
    _, writer = await asyncio.open_connection(address.host, address.port, ssl=context, server_hostname=address.name)
    try:
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown
    finally:
        writer.transport.abort()  # nothing was asked, so there is no farewell to wait for
