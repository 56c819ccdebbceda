"""The pages for operators in a real browser: as somebody who signs in, acts on dead letters, and looks on."""

from typing import Literal
from uuid import UUID

from playwright.async_api import Browser, BrowserContext, Page, expect

from shared.auth import Role
from tests.browser.looking import MARKS, WIDTHS, faults, keep
from tests.services.console.actions import Person, letters, poison
from tests.services.console.world import Create, World, world

pytestmark = MARKS

IDS = (UUID(int=1), UUID(int=2), UUID(int=3))


async def test_the_pages_fit_and_can_be_read_by_everybody(service_database: Create, browser: Browser) -> None:
    problems = []
    async with world(service_database, without=("trainings",)) as running:
        await poison(running.databases["matching"], *IDS)
        for width in WIDTHS:
            problems += await _faults_of_all(running, browser, width, "light")
            problems += await _faults_of_all(running, browser, width, "dark")
    assert not problems, "\n".join(problems)


async def _faults_of_all(running: World, browser: Browser, width: int, scheme: Literal["light", "dark"]) -> list[str]:
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    problems: list[str] = []

    async def look(name: str) -> None:
        nonlocal problems
        problems += [f"{name} {width} {scheme}: {fault}" for fault in await faults(page)]
        await keep(page, f"{name}-{width}-{scheme}")

    await page.goto(f"{running.url}/operations")
    await look("sign-in")
    await page.get_by_label("Token").fill("x.y.z")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await look("sign-in-refused")
    await _sign_in(running, page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Two problems need attention")
    await look("operations")
    await page.goto(f"{running.url}/operations?done=discard&service=matching&count=1")
    await look("operations-done")
    await page.goto(f"{running.url}/operations/discard?service=matching")
    await look("discard")
    await page.goto(f"{running.url}/sign-in")
    await look("signed-in")
    await context.close()
    return problems


async def test_all_well_looks_well(service_database: Create, browser: Browser) -> None:
    async with world(service_database) as running:
        for width in WIDTHS:
            page = await browser.new_page(viewport={"width": width, "height": 900})
            await _sign_in(running, page)
            await expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
            assert not await faults(page)
            await keep(page, f"operations-well-{width}")
            await page.close()


async def test_without_script_everything_can_be_done(service_database: Create, browser: Browser) -> None:
    async with world(service_database, without=("trainings", "notifications")) as running:
        await poison(running.databases["matching"], *IDS)
        context = await browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
        page = await context.new_page()
        await page.goto(running.url)
        await page.get_by_role("link", name="Sign in").click()
        await _sign_in(running, page)
        await page.get_by_role("link", name=f"Discard … kei.members.moon.landed.v1, {IDS[0]}").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Discard one event for good?")
        await page.get_by_role("button", name="Discard for good").click()
        await expect(page.get_by_text("One dead letter of matching is discarded for good.")).to_be_visible()
        await page.get_by_role("button", name="Retry all").click()
        await expect(page.get_by_text("Two dead letters of matching are handled again.")).to_be_visible()
        assert await letters(running.databases["matching"], "discarded") == [str(IDS[0])]
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        await _cookies(context, 0)


async def test_the_page_refreshes_itself_until_it_is_told_not_to(service_database: Create, browser: Browser) -> None:
    async with world(service_database, without=("trainings", "notifications")) as running:
        context = await browser.new_context()
        page = await context.new_page()
        await page.clock.install()
        await _sign_in(running, page)
        await _cookies(context, 1)
        await page.evaluate("window.untouched = true")
        await poison(running.databases["matching"], *IDS)
        await page.clock.run_for(5_500)
        verdict = page.get_by_role("heading", level=1)
        await expect(verdict).to_have_text("Three problems need attention")
        await expect(page.locator("[data-say]")).to_have_text("Three problems need attention")
        await expect(page.get_by_role("button", name="Retry all")).to_be_visible()

        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_text("Paused.")).to_be_visible()
        as_of = await page.locator("#as-of").text_content()
        await page.clock.run_for(20_000)
        await expect(page.locator("#as-of")).to_have_text(as_of or "")
        assert await page.evaluate("window.untouched")

        await page.get_by_role("button", name="Resume").click()
        await context.clear_cookies()
        await page.clock.run_for(5_500)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def _sign_in(running: World, page: Page) -> None:
    await page.goto(f"{running.url}/sign-in")
    await page.get_by_label("Token").fill(Person(running, Role.operator).token)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/operations")


async def _cookies(context: BrowserContext, number: int) -> None:
    cookies = await context.cookies()
    assert [(cookie["name"], cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [
        ("kei", True, "Lax")
    ] * number
