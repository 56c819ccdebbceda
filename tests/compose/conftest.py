"""One deployment for all tests of this folder that one worker runs."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import report
from tests.support import compose, docker
from tests.support.compose import Deployment
from tests.support.run import Run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/compose" in item.nodeid:
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.long)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def deployed(run: Run) -> Iterator[Deployment]:
    """Kei in containers, with the story played."""
    if reason := compose.unavailable_reason(run):
        if os.environ.get("KEI_REQUIRE_DOCKER") == "1":
            pytest.fail(f"KEI_REQUIRE_DOCKER=1, but {reason}")
        pytest.skip(f"{docker.NO_DEPLOYMENT}{reason}")
    made = Deployment(run)
    try:
        asyncio.run(made.up())
        yield made
    finally:
        asyncio.run(made.down())


@pytest.fixture
def table(run: Run) -> Path:
    return report.table(run)
