import json
import re

import httpx2
import pytest

from deploy.cli.run import TRACE_KEI
from tests.support.compose import CommandError, Deployment

SERVICES = ("members", "trainings", "matching", "notifications")


async def test_the_story_is_played_through_the_door_and_all_is_well(deployed: Deployment) -> None:
    output = await deployed.kei("import", str(TRACE_KEI))
    assert "Nothing was lost, nothing was done twice." in output
    assert "All is well." in await deployed.tool("status")
    assert "All is well." in await deployed.kei("status")


async def test_a_partner_reads_the_feed_with_a_key_of_its_own(deployed: Deployment) -> None:
    await deployed.kei("import", str(TRACE_KEI))
    output = await deployed.tool("partner", "add", "smoke-feed")
    (key,) = re.findall(r"kei_\S+", output)
    async with deployed.http() as client:
        reply = await client.get("/api/notifications/feed", headers={"X-API-Key": key})
        refused = await client.get("/api/notifications/feed", headers={"X-API-Key": key[:-1]})
        foreign = await client.get("/api/members/clusters", headers={"X-API-Key": key})
    assert reply.status_code == 200, f"{output!r}: {reply.text}"
    items = reply.json()["items"]
    assert [item["position"] for item in items] == list(range(1, len(items) + 1))
    assert len(items) > 30
    assert (refused.status_code, foreign.status_code) == (401, 401)


async def test_the_door_lets_in_what_it_should(deployed: Deployment) -> None:
    async with deployed.http() as client:
        home = await client.get("/")
        inner = [(await client.get(path)).status_code for path in ("/metrics", "/livez", "/api/members/metrics")]
        large = await client.post("/api/members/clusters", content=b"x" * 300_000)
        wide = await client.get("/", headers={"X-Long": "x" * 20_000})
        keys = await client.get("/.well-known/jwks.json")
    assert home.status_code == 200
    assert "TRACE-KEI" in home.text or "Kei" in home.text
    assert home.headers["strict-transport-security"] == "max-age=31536000"
    assert home.headers["x-content-type-options"] == "nosniff"
    assert "server" not in home.headers
    assert inner == [404, 404, 404]
    assert large.status_code == 413
    assert wide.status_code == 431
    assert [key["alg"] for key in keys.json()["keys"]] == ["ES256"]
    port = deployed.environment["KEI_HTTP_PORT"]
    async with httpx2.AsyncClient(trust_env=False) as plain:
        assert (await plain.get(f"http://localhost:{port}/")).status_code == 308


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_enters_its_own_database_only(deployed: Deployment, service: str) -> None:
    url = (deployed.secrets / f"{service}_database_url").read_text().replace("@postgres:", "@127.0.0.1:")
    ask = ("exec", "-T", "postgres", "psql", "--no-psqlrc", "--tuples-only", "--command", "SELECT count(*) FROM outbox")
    assert int(await deployed.compose(*ask, url)) >= 0
    for other in {*SERVICES, "postgres"} - {service}:
        with pytest.raises(CommandError, match="permission denied for database"):
            await deployed.compose(*ask, url.rpartition("/")[0] + f"/{other}")


async def test_containers_have_no_more_rights_than_they_need(deployed: Deployment) -> None:
    for identity in await deployed.containers(*SERVICES, "console"):
        facts = json.loads(await deployed.run("docker", "inspect", identity))[0]
        host, config = facts["HostConfig"], facts["Config"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert config["User"] == "10001:10001"
        assert not host["PortBindings"]
        environment = "\n".join(config["Env"])
        for secret in deployed.secrets.iterdir():
            assert secret.read_text() not in environment
        assert host["LogConfig"]["Config"]["max-size"]
