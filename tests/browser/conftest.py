from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.looking import ARGUMENTS, CHROMIUM
from tests.services.console.seed import seed
from tests.services.console.world import World, world


@pytest.fixture
async def story(service_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[World]:
    """Everything running, with the seeded consortium."""
    async with world(service_database) as running:
        await seed(running)
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        await running.close()
