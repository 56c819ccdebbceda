"""What the console tells of certificates, asked of servers with certificates made here."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey
from pydantic import ValidationError

from deploy import certificates as made
from services.console import main as console
from services.console.jobs.certificate_monitor import Address, CertificateMonitor, parse_addresses
from services.console.settings import ConsoleSettings
from shared.auth import Issuer, KeySource, Verifier
from tests.support.waiting import eventually

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SOON, ENDED = LONG_AGO + timedelta(days=5000, hours=7), LONG_AGO + timedelta(days=30)


@asynccontextmanager
async def showing(folder: Path, ends: dict[str, datetime]) -> AsyncIterator[int]:
    """A server with a certificate for each server name, and its port."""
    signer = made.create_authority("Some authority", LONG_AGO, SOON)
    contexts = {
        name: _context(folder / name, made.create_server_certificate(signer, [name], LONG_AGO, end))
        for name, end in ends.items()
    }

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = contexts[name or next(iter(contexts))]

    first = next(iter(contexts.values()))
    first.sni_callback = choose
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=first)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _context(file: Path, pair: made.KeyAndCertificate) -> ssl.SSLContext:
    file.write_bytes(pair.key + pair.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def expiry_times(certificates: CertificateMonitor) -> dict[str, float]:
    (family,) = await certificates.collect()
    return {sample.labels["address"]: sample.value for sample in family.samples}


async def test_the_end_is_that_of_the_certificate_for_the_name_that_is_asked_for(tmp_path: Path) -> None:
    async with showing(tmp_path, {"localhost": SOON, "kei.example": ENDED}) as port:
        certificates = CertificateMonitor(parse_addresses(f"localhost:{port}, kei.example@127.0.0.1:{port}"))
        assert await expiry_times(certificates) == {}
        await certificates.check()
    assert await expiry_times(certificates) == {
        f"localhost:{port}": SOON.timestamp(),
        f"kei.example:{port}": ENDED.timestamp(),
    }


async def test_who_is_not_there_or_shows_none_is_told_as_0(unused_tcp_port: int) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        plain = server.sockets[0].getsockname()[1]
        certificates = CertificateMonitor(parse_addresses(f"127.0.0.1:{plain},127.0.0.1:{unused_tcp_port}"))
        await certificates.check()
    assert await expiry_times(certificates) == {f"127.0.0.1:{plain}": 0, f"127.0.0.1:{unused_tcp_port}": 0}


async def test_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.console.jobs.certificate_monitor.TIMEOUT_SECONDS", 0.05)
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        certificates = CertificateMonitor(parse_addresses(f"127.0.0.1:{port}"))
        await certificates.check()
        for writer in held:
            with closing(writer):
                writer.transport.abort()
    assert await expiry_times(certificates) == {f"127.0.0.1:{port}": 0}


async def test_the_console_looks_by_itself_and_tells_it_among_its_metrics(tmp_path: Path) -> None:
    issuer = Issuer(ECKey.generate_key("P-256"), issuer="https://issuer.test", audience="kei")
    verifier = Verifier(issuer="https://issuer.test", audience="kei", keys=KeySource.of(issuer.jwks()))
    async with showing(tmp_path, {"localhost": SOON}) as port:
        app = console.build("http://127.0.0.1:1/api", lambda: "", verifier, parse_addresses(f"localhost:{port}"))
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):

            async def seen() -> list[float]:
                name = f'kei_certificate_not_after_timestamp_seconds{{address="localhost:{port}"}} '
                lines = (await client.get("/metrics")).text.splitlines()
                return [float(line.removeprefix(name)) for line in lines if line.startswith(name)]

            assert await eventually(seen) == [SOON.timestamp()]


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("", ()),
        ("kafka:9094", (Address("kafka", "kafka", 9094),)),
        ("kei.example@caddy:443, kafka:9094,", (Address("kei.example", "caddy", 443), Address("kafka", "kafka", 9094))),
    ],
)
def test_addresses_are_read(addresses: str, expected: tuple[Address, ...]) -> None:
    assert parse_addresses(addresses) == expected


@pytest.mark.parametrize("address", ["kafka", "kafka:", ":9094", "kafka:tls", "name@kafka"])
def test_what_is_no_address_is_refused_by_the_settings(address: str, tmp_path: Path) -> None:
    (tmp_path / "issuer.json").write_text("{}")
    with pytest.raises(ValidationError, match="is neither host:port nor name@host:port"):
        ConsoleSettings(jwks_url="jwks.json", issuer_key=tmp_path / "issuer.json", monitored_certificates=address)
