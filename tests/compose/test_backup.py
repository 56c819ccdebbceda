"""A deployment is copied, destroyed and put back: what was there is there, and Kafka is filled again from the logs."""

import os
import re
import time
from pathlib import Path

from deploy.cli.run import TRACE_KEI
from tests.compose.under_load import UnderLoad, called
from tests.faults.http_clients import Log, read
from tests.support.compose import Deployment
from tests.support.waiting import eventually

SERVICES = ("members", "trainings", "matching", "notifications")


async def test_a_destroyed_deployment_is_put_back_from_its_backup(deployed: Deployment, tmp_path: Path) -> None:
    await deployed.kei("import", str(TRACE_KEI))
    async with called(deployed) as load:
        before = await _events(load)
        copy = (
            "run",
            "--rm",
            "-T",
            "--user",
            f"{os.getuid()}:{os.getgid()}",
            "--volume",
            f"{tmp_path}:/backups",
            "kei",
        )
        made = await deployed.compose(*copy, "backup", "/backups/kei.zip")
        assert "Writes were blocked for" in made
        await deployed.compose("stop", *SERVICES, "console", "kafka")
        await deployed.compose("rm", "--force", "--stop", "kafka", "topics", "postgres")
        await deployed.run("docker", "volume", "rm", f"{deployed.project}_kafka", f"{deployed.project}_postgres")
        await deployed.compose("up", "--detach", "--wait", "postgres", "kafka")
        lost = time.monotonic()
        put_back = await deployed.compose(*copy, "restore", "/backups/kei.zip", "--yes")
        await deployed.compose("up", "--detach", "--wait")

        async def well() -> bool:
            return "All is well." in await deployed.tool("status")

        await eventually(well, 120.0)
        print(f"restored and all sent again within {time.monotonic() - lost:.0f} s")  # noqa: T201  a figure for people
        assert await _events(load) == before
    states = re.findall(r"\b[0-9a-f]{16,}\b", made)
    assert states
    assert states == re.findall(r"\b[0-9a-f]{16,}\b", put_back)


async def _events(load: UnderLoad) -> list[object]:
    logs: list[Log] = [await read(load.members, "/ops/events"), await read(load.feed, "/feed")]
    return [(log.events, log.positions) for log in logs]
