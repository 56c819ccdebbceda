"""Whether a Docker engine answers, and the containers of this run."""

import functools
import importlib
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

_DEFAULT = "unix:///var/run/docker.sock"
_TIMEOUT = 3.0


@functools.cache
def answers() -> bool:
    """Whether there is an engine. Asked without its library, which leaves sockets open when there is none."""
    url = urlsplit(os.environ.get("DOCKER_HOST") or _DEFAULT)
    try:
        with _connect(url.path if url.scheme == "unix" else (url.hostname or "", url.port or 0)) as engine:
            engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in engine.recv(64)
    except OSError:
        return False


def container(identity: str) -> Any:  # noqa: ANN401 - the library has no types
    return _library().from_env().containers.get(identity)


def remove(identity: str) -> None:
    with suppress(_library().errors.NotFound):
        container(identity).remove(force=True, v=True)


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
