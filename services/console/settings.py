"""The settings of the console, read from the environment (`KEI_…`)."""

from pydantic import Field, FilePath, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.console.jobs.certificate_monitor import parse_addresses


class ConsoleSettings(BaseSettings):
    """The settings of a console in its own process."""

    model_config = SettingsConfigDict(
        env_prefix="KEI_", env_ignore_empty=True, frozen=True, extra="ignore", secrets_dir=None
    )

    api_url: str = Field(
        default="http://127.0.0.1:8700/api",
        description="base URL of the APIs; each service is a path below it, e.g. /members",
    )
    issuer: str = Field(default="http://127.0.0.1:8700", description="accepted issuer of tokens (`iss`)")
    audience: str = Field(default="kei", description="accepted audience of tokens (`aud`)")
    jwks_url: str = Field(min_length=1, description="URL or file of the issuer's public keys")
    issuer_key: FilePath = Field(
        description="file of the issuer's private key, with which the console signs its own tokens (role service)"
    )
    monitored_certificates: str = Field(
        default="",
        description="addresses whose certificates are monitored, with commas between them: `host:port`, or"
        " `server-name@host:port` if they differ",
    )

    @field_validator("monitored_certificates")
    @classmethod
    def _well_formed(cls, text: str) -> str:
        parse_addresses(text)
        return text
