"""A running deployment is replaced by the next version under load, and nobody notices."""

import re
from pathlib import Path

import pytest

from tests.compose.under_load import called
from tests.support.compose import CommandError, Deployment

SERVICES = ("members", "trainings", "matching", "notifications", "console")
UNCHANGED = ("caddy", "postgres", "kafka")


async def test_an_upgrade_fails_no_request_and_loses_no_event(deployed: Deployment, table: Path) -> None:
    before = {service: await deployed.containers(service) for service in SERVICES}
    unchanged = await deployed.containers(*UNCHANGED)
    async with called(deployed) as load:
        async with load.callers.calling(rate=50.0):
            await deployed.up(KEI_VERSION="test-next")
        result = await load.result("upgrade by make up", len(SERVICES))
        assert load.callers.failures == []
        assert load.callers.refused == []
        assert len(load.callers.answered) > 50
    result.settle(table)
    assert await deployed.containers(*UNCHANGED) == unchanged
    for service, old in before.items():
        new = await deployed.containers(service)
        assert len(new) == len(old)
        assert not set(new) & set(old)
    assert len(re.findall(r"\+test-next\b", await deployed.tool("status"))) == 4


async def test_a_version_that_does_not_get_ready_is_taken_away_and_what_runs_goes_on(deployed: Deployment) -> None:
    before = sorted(await deployed.containers())
    async with called(deployed) as load:
        async with load.callers.calling(rate=20.0):
            with pytest.raises(CommandError, match=r"KEI_POOL_SIZE: .*\n(.*\n)*The new version did not get ready"):
                await deployed.up(KEI_POOL_SIZE="none", KEI_UP_TIMEOUT="40")
        assert load.callers.failures == []
        assert load.callers.refused == []
    assert sorted(await deployed.containers()) == before
    await deployed.up(KEI_POOL_SIZE="", KEI_UP_TIMEOUT="")
