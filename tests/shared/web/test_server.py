"""A real process under uvicorn: its shutdown, and misbehaving clients."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "error", "-m", "tests.shared.web.serving", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: status(port, "/readyz") == 200, 15, "The server did not get ready.")
            yield process
        finally:
            process.kill()


def status(port: int, path: str) -> int:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code
    except httpx2.TransportError:
        return 0


async def test_sigterm_turns_unready_lets_replies_finish_and_ends(process: subprocess.Popen[bytes], port: int) -> None:
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        client.stream("GET", "/odd/stream") as reply,
    ):
        lines = reply.aiter_lines()
        assert await anext(lines) == "begun"
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert await anext(lines) == "done"
        unready = await client.get("/readyz")
        assert unready.status_code == 503
        assert unready.json()["type"] == "urn:kei:problem:draining"
        assert (await client.get("/livez")).status_code == 200
    _, written = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0, written.decode()
    assert time.monotonic() - begun < 5
    for line in written.decode().splitlines():
        assert json.loads(line)["service"] == "odd"
    assert status(port, "/livez") == 0


def test_a_fault_leaves_one_json_line_with_its_trace_back(process: subprocess.Popen[bytes], port: int) -> None:
    answer = httpx2.get(f"http://127.0.0.1:{port}/odd/broken", trust_env=False)
    assert answer.status_code == 500
    process.send_signal(signal.SIGTERM)
    _, written = process.communicate(timeout=20)
    lines = [json.loads(line) for line in written.decode().splitlines()]
    (fault,) = [line for line in lines if line["level"] == "error"]
    assert fault["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError: a secret" in fault["exception"]


@pytest.mark.usefixtures("process")
def test_clients_that_never_finish_their_head_are_cut(port: int) -> None:
    beginnings = [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "]
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in beginnings]
    for client, beginning in zip(clients, beginnings, strict=True):
        client.sendall(beginning)
    assert status(port, "/livez") == 200
    for client in clients:
        assert client.recv(1000) == b""
        client.close()


@pytest.mark.usefixtures("process")
def test_an_endless_head_is_cut(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        client.sendall(b"X-Filler: x\r\n" * 4000)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.usefixtures("process")
def test_two_readings_of_one_request_are_refused(port: int) -> None:
    heads = [
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: x\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: cow\r\n",
    ]
    start = b"POST /odd/refused HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for head in heads:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(start + head + b"\r\n{}")
            assert client.recv(1000).startswith(b"HTTP/1.1 400 "), head
