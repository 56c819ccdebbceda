"""What a service reads from its environment (`KEI_…`) or from secret files.

Only `main.py` and the command line read it.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings every service has; a service with more derives its own class."""

    model_config = SettingsConfigDict(
        env_prefix="KEI_", env_ignore_empty=True, frozen=True, extra="ignore", secrets_dir=None
    )

    database_url: SecretStr = Field(description="postgresql://user:password@host/database of this service")
    kafka: str | None = Field(default=None, description="host:port of a Kafka broker; the local transport if unset")
    kafka_user: str | None = Field(default=None, description="the broker's SASL/SCRAM-SHA-512 user; nobody if unset")
    kafka_password: SecretStr | None = Field(default=None, description="the user's password")
    kafka_ca: Path | None = Field(
        default=None, description="PEM file of the authorities that sign the broker's certificate; TLS if set"
    )
    kafka_tls: bool = Field(default=False, description="TLS, by the system's authorities if kafka_ca is unset")
    role: Literal["all", "web", "worker"] = Field(
        default="all", description="what this process does: serve requests, move and handle events, or both"
    )
    issuer: str = Field(default="http://127.0.0.1:8700", description="who signs the tokens: their `iss`")
    audience: str = Field(default="kei", description="whom the tokens are for: their `aud`")
    jwks: str = Field(default="", description="URL or file of the issuer's public keys")
    cursor_secret: SecretStr = Field(description="signs page cursors; the same in all replicas of a service")
    pool_size: int = Field(default=10, ge=2, le=100, description="database connections at most")
    replan_seconds: float = Field(
        default=5.0,
        gt=0,
        le=86_400,
        description="for how long events must have rested before matching makes a plan that follows them",
    )
    outbox_retention_days: int | None = Field(default=None, ge=1, description="keep events so long; for ever if unset")
    inbox_retention_days: int | None = Field(
        default=None,
        ge=1,
        description="remember handled events so long; above every topic's retention; for ever if unset",
    )
    idempotency_retention_days: int = Field(default=90, ge=1, description="remember Idempotency-Keys so long")
