"""Kei as `docker compose up` deploys it, with its own project name, secrets and ports."""

import asyncio
import os
import shutil
import ssl
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2

from deploy.api_client import Api
from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from deploy.secrets import create_missing
from tests.support import docker
from tests.support.kafka_local import free_ports
from tests.support.kei import KEI, ROOT
from tests.support.run import Run

FETCH_TIMEOUT = 120.0
"""Seconds to pull an image."""
PORTS = ("KEI_HTTP_PORT", "KEI_HTTPS_PORT", "KEI_PARTNER_PORT", "KEI_PROMETHEUS_PORT", "KEI_MAIL_PORT")


def unavailable_reason(run: Run) -> str:
    """Why nothing can be deployed here, or an empty string. Decided once per run."""
    return run.once("deployable", lambda: {"reason": _why_none()})["reason"]


def _why_none() -> str:
    if not docker.available() or shutil.which("docker") is None:
        return "no Docker engine"
    if _run("docker", "compose", "version").returncode:
        return "no Docker Compose"
    present = {name for name in _wanted() if not _run("docker", "image", "inspect", name).returncode}
    missing = sorted(_wanted() - present)
    try:
        fetched = not any(_run("docker", "pull", "--quiet", name).returncode for name in missing)
    except subprocess.TimeoutExpired:
        fetched = False
    return "" if fetched else f"images that cannot be fetched here: {', '.join(missing)}"


def _wanted() -> set[str]:
    listed = _run("docker", "compose", "--profile", "*", "config", "--images").stdout.decode().split()
    return {name for name in listed if not name.startswith("kei:")} | {"python:3.13-slim"}


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=FETCH_TIMEOUT)


class CommandError(AssertionError):
    """A command failed; the message has its output."""


class Deployment:
    """One deployment.

    Args:
        run: removes the deployment if a test does not.
    """

    def __init__(self, run: Run) -> None:
        folder = run.new_folder()
        self.secrets = folder / "secrets"
        self.project = f"{docker.project(run)}-{uuid4().hex[:8]}"
        ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.url = f"https://localhost:{ports['KEI_HTTPS_PORT']}"
        self.partner_kafka = f"localhost:{ports['KEI_PARTNER_PORT']}"
        self.prometheus = f"http://127.0.0.1:{ports['KEI_PROMETHEUS_PORT']}"
        self.authority = folder / "edge.pem"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
        self.environment = {
            **inherited,
            **ports,
            "COMPOSE_PROJECT_NAME": self.project,
            "KEI_SECRETS": str(self.secrets),
            "KEI_VERSION": "test",
            "COLUMNS": "200",
        }
        create_missing(self.secrets, "localhost")

    async def up(self, **environment: str) -> None:
        """Start it or upgrade it, as `make up` does."""
        self.environment |= environment
        await self.run("deploy/up.sh")
        self.authority.write_text(
            await self.compose("exec", "-T", "caddy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        )

    async def down(self) -> None:
        """Remove containers, networks and volumes."""
        await self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20")

    async def compose(self, *arguments: str) -> str:
        """Run a Docker Compose command; return its output.

        Raises:
            Failed: it ended with another status than 0.
        """
        return await self.run("docker", "compose", *arguments)

    async def tool(self, *arguments: str) -> str:
        """Run a `kei` command in a container; return its output."""
        return await self.compose("run", "--rm", "-T", "kei", *arguments)

    async def kei(self, *arguments: str) -> str:
        """Run a `kei` command on the host, through the gateway; return its output."""
        at = {"KEI_URL": self.url, "KEI_CA": str(self.authority), "KEI_DATA_DIR": str(self.secrets)}
        return await self.run(*KEI, *arguments, environment=at)

    async def containers(self, *services: str) -> list[str]:
        """The ids of the running containers of some services, or of all."""
        return (await self.compose("ps", "--quiet", *services)).split()

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx2.AsyncClient]:
        """An HTTP client of the gateway that trusts only its CA."""
        trusted = ssl.create_default_context(cafile=str(self.authority))
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, verify=trusted, timeout=30.0) as client:
            yield client

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """A client of the APIs through the gateway with an operator token."""
        async with self.http() as client:
            yield Api(client, self.url, lambda: operator_token(DataDirectory(self.secrets)))

    async def run(self, *command: str, environment: dict[str, str] | None = None) -> str:
        """Run a command; return its output on both streams.

        Raises:
            Failed: it ended with another status than 0.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**self.environment, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        if process.returncode:
            raise CommandError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-6000:]}")
        return text
