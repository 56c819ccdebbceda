"""The Docker engine: whether it is reachable and has an image, and the containers of a run."""

import functools
import importlib
import json
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.run import Run, ServerError

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18"
NO_DEPLOYMENT = "nothing can be deployed: "
"""How the skip reason of the tests of the deployment begins."""
_DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT = 3.0
_FETCH_TIMEOUT = 60
"""Seconds without data from the registry."""
_RUN_LABEL = "kei.tests.run"
_PROJECT_LABEL = "com.docker.compose.project"
_OF_COMPOSE = {"label": _PROJECT_LABEL}

# Ryuk, the cleaner of the library, is one more image. Runs remove their containers themselves, even after a kill.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


@functools.cache
def available() -> bool:
    """Whether an engine is reachable. Without the Docker library, which leaves sockets open if there is none."""
    url = urlsplit(os.environ.get("DOCKER_HOST") or _DEFAULT)
    try:
        with _connect(url.path if url.scheme == "unix" else (url.hostname or "", url.port or 0)) as engine:
            engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in engine.recv(64)
    except OSError:
        return False


@functools.cache
def provides(run: Run, image: str) -> bool:
    """Whether an engine is reachable and has the image; pulls it if necessary. Decided once per run."""
    if not available():
        return False
    try:
        run.once(_fact(image), lambda: _fetch(image))
    except ServerError:
        return False
    return True


def missing_images_line(run: Run) -> str:
    """One line about the images that could not be pulled, or an empty string."""
    reasons = {}
    for image in (KAFKA_IMAGE, POSTGRES_IMAGE):
        with suppress(FileNotFoundError):
            known = json.loads((run.root / f"{_fact(image)}.json").read_text())
            if "error" in known:
                reasons[image] = known["error"].splitlines()[0][:120]
    if not reasons:
        return ""
    reason = next(iter(reasons.values()))
    return f"Docker: no image {' and '.join(reasons)} ({reason}); used Java or the PostgreSQL wheel instead"


def deployment_skip_reason(report: pytest.TestReport) -> str:
    """The skip reason if the test was skipped because nothing can be deployed."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return NO_DEPLOYMENT + reason.partition(NO_DEPLOYMENT)[2] if NO_DEPLOYMENT in reason else ""


def container(identity: str) -> Any:  # noqa: ANN401 - the library has no types
    return _library().from_env().containers.get(identity)


def host() -> str:
    """Where published ports are reached. The library takes this machine for a container if it looks like one."""
    return urlsplit(os.environ.get("DOCKER_HOST") or _DEFAULT).hostname or "127.0.0.1"


def labels(run: Run) -> dict[str, str]:
    """Labels for the containers of the run."""
    return {_RUN_LABEL: run.name}


def project(run: Run) -> str:
    """Prefix of the run's Docker Compose project names."""
    return f"kei-test-{run.name}"


def remove(identity: str) -> None:
    with suppress(_library().errors.NotFound):
        container(identity).remove(force=True, v=True)


def remove_all(run: Run) -> None:
    """Remove containers, networks and volumes of the run, those of deployments included."""
    if not available():
        return
    library = _library()
    engine = library.from_env()
    try:
        containers = engine.containers.list(all=True, filters={"label": f"{_RUN_LABEL}={run.name}"})
        containers += [
            container
            for container in engine.containers.list(all=True, filters=_OF_COMPOSE)
            if _deployed(container, run)
        ]
        for container in containers:
            with suppress(library.errors.NotFound):
                container.remove(force=True, v=True)
        for resource in (*engine.networks.list(filters=_OF_COMPOSE), *engine.volumes.list(filters=_OF_COMPOSE)):
            if _deployed(resource, run):
                resource.remove()
    finally:
        engine.close()


def _deployed(resource: Any, run: Run) -> bool:  # noqa: ANN401 - as above
    """Whether a container, network or volume belongs to a deployment of the run."""
    marks = resource.attrs.get("Labels") or resource.attrs.get("Config", {}).get("Labels") or {}
    return str(marks.get(_PROJECT_LABEL, "")).startswith(project(run))


def _fact(image: str) -> str:
    return "image-" + image.replace("/", "-").replace(":", "-")


def _fetch(image: str) -> dict[str, str]:
    library = _library()
    engine = library.from_env(timeout=_FETCH_TIMEOUT)
    try:
        try:
            engine.images.get(image)
        except library.errors.ImageNotFound:
            engine.images.pull(image)
    except library.errors.APIError as error:
        raise OSError(error.explanation or str(error)) from error
    finally:
        engine.close()
    return {"image": image}


def _connect(address: str | tuple[str, int]) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address, _TIMEOUT)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _library() -> Any:  # noqa: ANN401 - as above; slow to import, and of use only where an engine is
    return importlib.import_module("docker")
