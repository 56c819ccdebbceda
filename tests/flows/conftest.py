"""A whole Kei in processes of its own, as its users run it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.kei import Kei


@pytest.fixture
async def kei(tmp_path: Path) -> AsyncIterator[Kei]:
    one = Kei(tmp_path)
    yield one
    await one.end()
