"""Two copies of everything that serves, and workers that move events apart from it, by two lines of the environment."""

import json

from deploy.cli.run import TRACE_KEI
from tests.support.compose import CommandError, Deployment
from tests.support.waiting import eventually

SERVICES = ("members", "trainings", "matching", "notifications")


async def test_copies_serve_and_workers_move_events(deployed: Deployment) -> None:
    await deployed.kei("import", str(TRACE_KEI))
    await deployed.up(KEI_REPLICAS="2", KEI_WORKERS="1")
    try:
        await eventually(lambda: _led_by_workers(deployed), 60.0)
        assert "Nothing was lost, nothing was done twice." in await deployed.kei("import", str(TRACE_KEI))
        for service in (*SERVICES, "console"):
            assert len(await deployed.containers(service)) == 2
    finally:
        await deployed.up(KEI_REPLICAS="1", KEI_WORKERS="")


async def _led_by_workers(deployed: Deployment) -> bool:
    try:
        status = json.loads(await deployed.kei("status", "--json"))
    except CommandError:  # while the lead passes over something may wait
        return False
    workers = [container[:12] for name in SERVICES for container in await deployed.containers(f"{name}-worker")]
    holders = [service["status"]["outbox"]["leader"].partition("/")[0] for service in status["services"]]
    return len(workers) == len(SERVICES) and set(holders) == set(workers)
