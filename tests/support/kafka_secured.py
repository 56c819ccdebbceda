"""A broker that obeys access rules: an open door for its super user, one by SASL/SCRAM and one by that over TLS."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from deploy import certificates
from shared import clock
from tests.support.kafka_local import LocalBroker, free_ports

_LOGIN = "scram-sha-512.sasl.jaas.config"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class SecuredBroker(Protocol):
    """Clients of `address` may do everything; clients of `scram` and `tls` only what access rules allow."""

    ca: Path
    scram: str
    tls: str

    @property
    def address(self) -> str: ...
    async def start(self) -> None: ...
    async def end(self) -> None: ...


def authorizer_properties(certificate: Path) -> dict[str, str]:
    """Lines of server.properties for the listeners SCRAM and TLS with access rules, and for the listeners without."""
    return {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT,"
        "SCRAM:SASL_PLAINTEXT,TLS:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"listener.name.scram.{_LOGIN}": _SCRAM,
        f"listener.name.tls.{_LOGIN}": _SCRAM,
        "listener.name.tls.ssl.keystore.type": "PEM",
        "listener.name.tls.ssl.keystore.location": str(certificate),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def write_certificates(ca: Path, broker: Path) -> None:
    """Write an authority's certificate, and the broker's with its key, as a deployment does it."""
    begins, ends = clock.now() - timedelta(days=1), clock.now() + timedelta(days=1)
    authority = certificates.create_authority("Kei's tests", begins, ends)
    server = certificates.create_server_certificate(authority, ["127.0.0.1"], begins, ends)
    ca.write_bytes(authority.certificate)
    broker.write_bytes(server.key + server.certificate)


class LocalSecured(LocalBroker):
    """As a process of this machine."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.ca = home.with_suffix(".ca.pem")
        self._certificate = home.with_suffix(".broker.pem")
        self.scram = self.tls = ""

    def _configure(self, properties: dict[str, str]) -> None:
        write_certificates(self.ca, self._certificate)
        (own, controller), (scram, tls) = free_ports(), free_ports()
        self.scram, self.tls = f"127.0.0.1:{scram}", f"127.0.0.1:{tls}"
        listeners = {
            "PLAINTEXT": f"127.0.0.1:{own}",
            "CONTROLLER": f"127.0.0.1:{controller}",
            "SCRAM": self.scram,
            "TLS": self.tls,
        }
        here = {
            "listeners": ",".join(f"{name}://{address}" for name, address in listeners.items()),
            "controller.quorum.bootstrap.servers": listeners["CONTROLLER"],
        }
        super()._configure({**authorizer_properties(self._certificate), **here, **properties})
