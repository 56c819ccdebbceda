"""Settings of a service, from its environment (`KEI_…`) or from secret files.

Only `main.py` and the command line read them.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of every service; a service with further settings derives its own class."""

    model_config = SettingsConfigDict(
        env_prefix="KEI_", env_ignore_empty=True, frozen=True, extra="ignore", secrets_dir=None
    )

    database_url: SecretStr = Field(description="postgresql://user:password@host/database of this service")
    kafka_bootstrap_servers: str | None = Field(
        default=None,
        description="host:port of a Kafka broker, or several; unset only in the embedded mode",
    )
    kafka_user: str | None = Field(default=None, description="SASL/SCRAM-SHA-512 user; no authentication if unset")
    kafka_password: SecretStr | None = Field(default=None, description="password of the Kafka user")
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities that sign the broker's certificate; turns TLS on"
    )
    kafka_tls: bool = Field(
        default=False, description="TLS to the broker, with the system's authorities if KEI_KAFKA_CA_FILE is unset"
    )
    role: Literal["all", "web", "worker"] = Field(
        default="all",
        description="what this process runs: HTTP requests (web), event transport and handlers (worker), or both",
    )
    issuer: str = Field(default="http://127.0.0.1:8700", description="accepted issuer of tokens (`iss`)")
    audience: str = Field(default="kei", description="accepted audience of tokens (`aud`)")
    jwks_url: str = Field(default="", description="URL or file of the issuer's public keys")
    cursor_secret: SecretStr = Field(
        description="key that signs page cursors, at least 32 characters; equal in all replicas of a service"
    )
    pool_size: int = Field(default=10, ge=2, le=100, description="maximum number of database connections")
    replan_debounce_seconds: float = Field(
        default=5.0,
        gt=0,
        le=86_400,
        description="seconds without further events after which matching makes a new plan",
    )
    outbox_retention_days: int | None = Field(
        default=None, ge=1, description="days for which the event log keeps events; for ever if unset"
    )
    inbox_retention_days: int | None = Field(
        default=None,
        ge=1,
        description="days for which handled events are remembered; more than topics keep records; for ever if unset",
    )
    idempotency_retention_days: int = Field(
        default=90, ge=1, description="days for which Idempotency-Keys are remembered"
    )
