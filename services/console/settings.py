"""What the console reads from its environment (`KEI_…`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConsoleSettings(BaseSettings):
    """The console's settings."""

    model_config = SettingsConfigDict(env_prefix="KEI_", frozen=True, extra="ignore", secrets_dir=None)

    api: str = Field(
        default="http://127.0.0.1:8700/api",
        description="base address of the services: members, trainings, matching and notifications stand below it",
    )
