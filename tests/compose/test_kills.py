"""Containers of a deployment die at random under load: nothing is lost, and all is well again by itself."""

import os
import random
import signal
from pathlib import Path

from tests.compose.under_load import called
from tests.faults.report import SEED, count
from tests.support.compose import CommandError, Deployment
from tests.support.waiting import eventually, passing

VICTIMS = ("members", "trainings", "matching", "notifications", "console", "kafka", "postgres", "caddy")
EVERY = 20.0
"""Seconds from one to the next."""


async def test_whatever_container_dies_nothing_is_lost_and_all_is_well_again(deployed: Deployment, table: Path) -> None:
    chance = random.Random(SEED)
    kills = count(3, 15)
    async with called(deployed) as load:
        async with load.callers.calling(rate=20.0):
            for victim in _drawn(chance, kills):
                await _kill(deployed, victim)
                await passing(EVERY)
        await eventually(lambda: _well(deployed), 180.0)
        result = await load.result(f"containers killed, one in {EVERY:g} s", kills)
        assert load.callers.refused == []
    result.settle(table)


def _drawn(chance: random.Random, kills: int) -> list[str]:
    """Nobody twice before everybody was once."""
    drawn: list[str] = []
    while len(drawn) < kills:
        drawn += chance.sample(VICTIMS, len(VICTIMS))
    return drawn[:kills]


async def _kill(deployed: Deployment, service: str) -> None:
    """By the process: whom Docker itself ends, it does not start again."""
    (identity,) = await deployed.containers(service)
    pid = await deployed.run("docker", "inspect", "--format", "{{.State.Pid}}", identity)
    os.kill(int(pid), signal.SIGKILL)


async def _well(deployed: Deployment) -> bool:
    try:
        healthy = await deployed.compose("ps", "--format", "{{.Service}} {{.Health}}")
        status = await deployed.tool("status")
    except CommandError:
        return False
    return "unhealthy" not in healthy and "starting" not in healthy and "All is well." in status
