"""Connection settings of a Kafka cluster: anonymous or SASL/SCRAM-SHA-512, each with or without TLS."""

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
"""Errors when the broker is absent."""
RESPONSE_TIMEOUT = 5.0
"""Seconds for a response of the broker."""
DENIED = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)
"""Errors when the user lacks a right."""


@dataclass(frozen=True, slots=True)
class KafkaConnectionSettings:
    """One cluster, for one user.

    Args:
        servers: bootstrap servers, host:port.
        user: anonymous if left out.
        password: of the user.
        ca: PEM file of the authorities that sign the brokers' certificates; turns TLS on.
        tls: TLS with the authorities of the system, without `ca`.

    Raises:
        ValueError: a user without a password or the other way round, or `ca` is not usable.
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
        """Anonymous settings from a text; settings unchanged."""
        return cls(servers) if isinstance(servers, str) else servers

    def options(self) -> dict[str, Any]:
        """Arguments for clients of aiokafka and kafka-python."""
        context = self._context()
        protocol = "PLAINTEXT" if context is None else "SSL"
        options_ = {"bootstrap_servers": self.servers, "security_protocol": protocol, "ssl_context": context}
        if self.user is None:
            return options_
        return options_ | {
            "security_protocol": "SASL_PLAINTEXT" if context is None else "SASL_SSL",
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password,
        }

    def security(self) -> BaseSecurity:
        """The security settings of a FastStream broker."""
        if self.user is None or self.password is None:
            return BaseSecurity(self._context())
        return SASLScram512(self.user, self.password, self._context())

    @property
    def unreachable_reason(self) -> str:
        """Possible reasons of a failed connection. Clients cannot tell a refused password from an absent broker."""
        reasons = [f"Kafka at {self.servers} is not reached"]
        if self._encrypted:
            reasons.append("its certificate is not trusted")
        if self.user is not None:
            reasons.append(f"the password of user {self.user} is refused")
        return ", or ".join(reasons)

    def describe(self, error: BaseException, action: str) -> str:
        """An error of aiokafka as text for the log.

        Args:
            error: the exception.
            action: the attempted action, as in "may not …".
        """
        if isinstance(error, DENIED):
            return f"user {self.user or 'ANONYMOUS'} may not {action}"
        if isinstance(error, KafkaConnectionError):
            return self.unreachable_reason
        return f"{type(error).__name__} {error}"

    @property
    def _encrypted(self) -> bool:
        return self.tls or self.ca is not None

    def _context(self) -> ssl.SSLContext | None:
        """Created for each client, so that a renewed file is used."""
        return ssl.create_default_context(cafile=self.ca) if self._encrypted else None
