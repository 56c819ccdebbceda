"""The OpenAPI document tells the truth: schemathesis tries every operation, with every check it has."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from shared.auth import Issuer, Principal, Role
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


async def test_the_document_declares_what_a_route_can_answer(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    create = document["paths"]["/items"]["post"]
    assert sorted(create["responses"]) == [
        *("201", "400", "401", "403", "404", "408", "409", "413", "414", "415", "422", "431", "500", "503")
    ]
    problem = create["responses"]["409"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/Problem"}
    assert create["security"] == [{"bearer": []}]
    change = document["paths"]["/items/{item_id}"]["put"]
    assert {"412", "428"} <= set(change["responses"])
    required = {parameter["name"]: parameter["required"] for parameter in change["parameters"]}
    assert required == {"item_id": True, "If-Match": True, "Idempotency-Key": False}
    listing = document["paths"]["/items"]["get"]
    assert sorted(listing["responses"]) == ["200", "400", "401", "403", "414", "422", "431", "500", "503"]
    keyed = document["paths"]["/keyed"]["get"]
    assert keyed["security"] == [{"bearer": []}, {"apiKey": []}]
    assert "/livez" not in document["paths"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def ready(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/readyz", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture
def address(database_url: str, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.shared.web.serving", str(port), database_url, str(tmp_path / "key.json")]
    Issuer.load(tmp_path / "key.json", issuer="i", audience="a")
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: ready(address), 15, "The server did not get ready.")
            yield address
        finally:
            server.kill()


@pytest.mark.long
@pytest.mark.timeout(180)
def test_schemathesis_finds_nothing(address: str, tmp_path: Path) -> None:
    issuer = Issuer.load(tmp_path / "key.json", issuer="i", audience="a")
    token = issuer.token(Principal("ann", frozenset({Role.operator, Role.coordinator})))
    explore = [
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--max-examples", "25", "--seed", "1", "--continue-on-failure", "--no-color"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.shared.web.schema_hooks", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(explore, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
