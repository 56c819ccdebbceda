"""A whole Kei in processes of its own, as its users run it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.kei import Kei
from tests.support.run import Run


@pytest.fixture
async def kei(run: Run) -> AsyncIterator[Kei]:
    instance = Kei(run.new_folder())
    yield instance
    await instance.end()
