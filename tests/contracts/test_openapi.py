"""Every service's document tells the truth: schemathesis tries each operation of the running service by every check."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.databases import SERVICES
from deploy.generate_docs import ROOT
from shared.auth import Principal, Role
from tests.contracts.serving import CLUSTERS, FRAMEWORK, INDICATORS, issuer_at
from tests.support import factories
from tests.support.waiting import eventually

HERE = Path(__file__).parent
EXAMPLES, SEED = os.environ.get("KEI_TEST_EXAMPLES", "15"), os.environ.get("KEI_TEST_SEED", "1")
"""How many examples of each operation in each phase in the quick and in the long tests, and which ones."""
Seed = dict[str, str]


@asynccontextmanager
async def running(service: str, url: str, key: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """An operator's client of the service, which is in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = issuer_at(key).token(Principal("test operator", frozenset({Role.operator})))
    log = key.with_suffix(".log")
    command = [sys.executable, "-m", "tests.contracts.serving", service, str(port), url, str(key)]
    with log.open("wb") as out:
        server = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=out, stderr=out)
    try:
        client = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, headers={"Authorization": f"Bearer {token}"}
        )
        async with client:

            async def answers() -> bool:
                assert server.returncode is None, log.read_text()[-3000:]
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers, 30)
            yield client
    finally:
        server.kill()
        await server.wait()


async def made(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> str:
    reply = await client.post(path, json=body)
    assert reply.status_code == 201, reply.text
    id: str = reply.json().get("id", "")
    return id


async def seed_members(client: httpx2.AsyncClient) -> Seed:
    indicators = [{"code": indicator, "title": indicator} for indicator in INDICATORS]
    framework = {"code": FRAMEWORK, "title": FRAMEWORK, "scale_max": 5, "indicators": indicators}
    await made(client, "/frameworks", framework)
    consortium = await made(client, "/consortia", factories.consortium())
    cluster = await made(client, "/clusters", factories.cluster(consortium))
    return {"consortia": consortium, "consortium_id": consortium, "clusters": cluster}


async def seed_trainings(client: httpx2.AsyncClient) -> Seed:
    async def draft() -> str:
        reply = await client.post("/activities", json=factories.training(CLUSTERS[0], capacity=20))
        return str(reply.json()["id"]) if reply.status_code == 201 else ""  # until it has heard of the cluster

    activity = await eventually(draft)
    ids = {
        "consortium_id": str(factories.CONSORTIUM),
        "host_cluster_id": str(CLUSTERS[0]),
        "cluster_id": str(CLUSTERS[1]),
    }
    return {"activities": activity, **ids}


async def _draft(client: httpx2.AsyncClient) -> str:
    run = await made(client, "/runs", {"consortium_id": str(factories.CONSORTIUM)})

    async def planned() -> bool:
        state: str = (await client.get(f"/runs/{run}")).json()["run"]["state"]
        return state == "draft"

    await eventually(planned)
    return run


async def _mentorship(client: httpx2.AsyncClient) -> str:
    """An active one, of a plan."""
    run = await _draft(client)
    await client.post(f"/runs/{run}/publication", headers={"If-Match": '"v2"'})
    pair: str = (await client.get(f"/runs/{run}")).json()["pairs"][0]["id"]
    for what, word in (("pairs/{}/answers", {"answer": "accept"}), ("mentorships/{}/confirmations", {})):
        for version, side in enumerate(("mentor", "learner"), 1):
            headers = {"If-Match": f'"v{version}"'}
            reply = await client.post("/" + what.format(pair), json={"side": side} | word, headers=headers)
            assert reply.status_code == 200, reply.text
    return pair


async def seed_matching(client: httpx2.AsyncClient) -> Seed:
    async def proposed() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await client.get("/pairs")).json()["items"]
        return items

    pairs = await eventually(proposed)
    mentorship = await _mentorship(client)
    run = await _draft(client)
    named = {"consortium_id": str(factories.CONSORTIUM), "name": "Winter"}
    criteria = await made(client, "/criteria-sets", named)
    what_if = await made(client, "/what-ifs", named)
    ids = {
        "pairs": pairs[0]["id"],
        "mentorships": mentorship,
        "runs": run,
        "criteria-sets": criteria,
        "what-ifs": what_if,
    }
    return ids | {"consortium_id": str(factories.CONSORTIUM)}


async def seed_notifications(client: httpx2.AsyncClient) -> Seed:
    async def notices() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await client.get("/notices")).json()["items"]
        return items

    partner = await made(client, "/partners", {"name": "Observatory"})
    return {"partners": partner, "notices": (await eventually(notices))[0]["id"]}


SEEDS: dict[str, Callable[[httpx2.AsyncClient], Awaitable[Seed]]] = {
    "members": seed_members,
    "trainings": seed_trainings,
    "matching": seed_matching,
    "notifications": seed_notifications,
}


async def explored(client: httpx2.AsyncClient, seed: Seed, folder: Path) -> tuple[int, str]:
    """Exit status and report of schemathesis."""
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.contracts.schema_hooks",
        "PYTHONPATH": str(ROOT),
        "KEI_SEED": json.dumps(seed),
    }
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{client.base_url}/openapi.json".replace("//openapi", "/openapi")),
        *("--header", f"Authorization: {client.headers['Authorization']}", "--checks", "all"),
        *("--max-examples", EXAMPLES, "--seed", SEED, "--continue-on-failure", "--no-color"),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, report.decode()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
async def test_schemathesis_finds_nothing(
    service: str, service_database: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    async with running(service, await service_database(service), tmp_path / "key.json") as client:
        status, report = await explored(client, await SEEDS[service](client), tmp_path)
    assert status == 0, report
