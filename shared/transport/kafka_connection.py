"""How a Kafka cluster is reached and as whom: by anybody or by SASL/SCRAM-SHA-512, each with TLS or without."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from faststream.security import BaseSecurity, SASLScram512

MECHANISM = "SCRAM-SHA-512"
CONNECTION_ERRORS = (KafkaError, OSError, TimeoutError)
"""What the broker's absence looks like."""
RESPONSE_TIMEOUT = 5.0
"""Seconds for the broker to answer."""
DENIED = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)
"""What the want of a right looks like."""


@dataclass(frozen=True, slots=True)
class KafkaConnectionSettings:
    """One cluster, for one user.

    Args:
        servers: bootstrap servers, host:port.
        user: whose rights count; nobody in particular if left out.
        password: the user's.
        ca: the authorities that sign the brokers' certificates, a PEM file; with it, TLS.
        tls: TLS without `ca` too, by the authorities that this system trusts.

    Raises:
        ValueError: a user without a password or the other way round, or `ca` cannot be used; with a sentence.
    """

    servers: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    tls: bool = False

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise ValueError("A Kafka user needs a password and a password a user: KEI_KAFKA_USER, KEI_KAFKA_PASSWORD.")
        try:
            self._context()
        except OSError as error:
            raise ValueError(
                f"KEI_KAFKA_CA_FILE: {self.ca} cannot be used as a file of authorities ({error})."
            ) from error

    @classmethod
    def to(cls, servers: "str | KafkaConnectionSettings") -> "KafkaConnectionSettings":
        """Access as nobody in particular, if it is not one already."""
        return cls(servers) if isinstance(servers, str) else servers

    def options(self) -> dict[str, Any]:
        """What clients of aiokafka and of kafka-python are made with."""
        context = self._context()
        protocol = "PLAINTEXT" if context is None else "SSL"
        made = {"bootstrap_servers": self.servers, "security_protocol": protocol, "ssl_context": context}
        if self.user is None:
            return made
        return made | {
            "security_protocol": "SASL_PLAINTEXT" if context is None else "SASL_SSL",
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }

    def security(self) -> BaseSecurity:
        """The same for a broker of FastStream."""
        if self.user is None or self.password is None:
            return BaseSecurity(self._context())
        return SASLScram512(self.user, self.password, self._context())

    @property
    def unreached(self) -> str:
        """Why there may be no connection. Clients do not tell a refused password from a broker that is away."""
        reasons = [f"Kafka at {self.servers} is not reached"]
        if self._encrypted:
            reasons.append("its certificate is not trusted")
        if self.user is not None:
            reasons.append(f"the password of user {self.user} is refused")
        return ", or ".join(reasons)

    def said(self, error: BaseException, doing: str) -> str:
        """An error of aiokafka as a log should tell it.

        Args:
            error: what was raised.
            doing: what for, as in "may not …".
        """
        if isinstance(error, DENIED):
            return f"user {self.user or 'ANONYMOUS'} may not {doing}"
        if isinstance(error, KafkaConnectionError):
            return self.unreached
        return f"{type(error).__name__} {error}"

    @property
    def _encrypted(self) -> bool:
        return self.tls or self.ca is not None

    def _context(self) -> ssl.SSLContext | None:
        """Made anew for each client, so that a renewed file counts from then on."""
        return ssl.create_default_context(cafile=self.ca) if self._encrypted else None
