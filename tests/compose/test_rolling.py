"""A running deployment is replaced by the next version under load, and nobody notices."""

import re
from pathlib import Path

from tests.compose.under_load import called
from tests.support.compose import Deployment

SERVICES = ("members", "trainings", "matching", "notifications", "console")


async def test_an_upgrade_fails_no_request_and_loses_no_event(deployed: Deployment, table: Path) -> None:
    before = {service: await deployed.containers(service) for service in SERVICES}
    async with called(deployed) as load:
        async with load.callers.calling(rate=50.0):
            await deployed.up(KEI_VERSION="test-next")
        result = await load.result("upgrade by make up", len(SERVICES))
        assert load.callers.failures == []
        assert load.callers.refused == []
        assert len(load.callers.answered) > 50
    result.settle(table)
    for service, old in before.items():
        new = await deployed.containers(service)
        assert len(new) == len(old)
        assert not set(new) & set(old)
    assert len(re.findall(r"\+test-next\b", await deployed.tool("status"))) == 4
