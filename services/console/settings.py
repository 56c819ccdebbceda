"""What the console reads from its environment (`KEI_…`)."""

from pydantic import Field, FilePath, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.console.jobs.certificate_monitor import addresses


class ConsoleSettings(BaseSettings):
    """The settings of a console that runs by itself."""

    model_config = SettingsConfigDict(
        env_prefix="KEI_", env_ignore_empty=True, frozen=True, extra="ignore", secrets_dir=None
    )

    api: str = Field(
        default="http://127.0.0.1:8700/api",
        description="base address of the services: members, trainings, matching and notifications stand below it",
    )
    issuer: str = Field(default="http://127.0.0.1:8700", description="who signs the tokens: their `iss`")
    audience: str = Field(default="kei", description="whom the tokens are for: their `aud`")
    jwks: str = Field(min_length=1, description="URL or file of the issuer's public keys")
    issuer_key: FilePath = Field(
        description="file of the issuer's private key; the console signs with it its own tokens, of the role service"
    )
    certificates: str = Field(
        default="",
        description="whose certificates it watches: `host:port` or `name@host:port` (the server name, and where to"
        " connect), with commas between them",
    )

    @field_validator("certificates")
    @classmethod
    def _readable(cls, given: str) -> str:
        addresses(given)
        return given
