"""A browser for tests, and what is wrong with a page as it shows it."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page

CHROMIUM = os.environ.get("KEI_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDTHS = (1280, 390)
MARKS = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; KEI_CHROMIUM names one"),
    pytest.mark.timeout(180),
]
"""Of every file with tests in a browser."""


async def signed_in(browser: Browser, url: str, token: str, **options: Any) -> BrowserContext:
    """The browser of somebody who has signed in; `options` are those of a context."""
    context = await browser.new_context(**options)
    await context.add_cookies([{"name": "kei", "value": token, "url": url}])
    return context


async def faults(page: Page) -> list[str]:
    """What does not fit, and what not everybody can read."""
    wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    problems = [f"{wide} px too wide"] if wide > 0 else []
    report = await Axe().run(page)
    for violation in report.response["violations"]:
        places = ", ".join(str(node["target"]) for node in violation["nodes"][:3])
        problems.append(f"{violation['id']}: {violation['help']} at {places}")
    return problems


async def keep(page: Page, name: str) -> None:
    """A picture for a person to look at, if KEI_SHOTS names a folder."""
    folder = os.environ.get("KEI_SHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
