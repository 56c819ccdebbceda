"""The pages in a real browser: at two sizes, light and dark, with and without script."""

from typing import Any, Literal
from urllib.parse import urljoin

from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.browser.looking import MARKS, WIDTHS, keep, signed_in
from tests.browser.looking import faults as faults_of
from tests.services.console.world import World

PAGES = {
    "home": "/",
    "cluster": "/clusters/cluee",
    "trainings": "/trainings",
    "pairs": "/pairs",
    "mentorships": "/mentorships",
    "mentorship": "/mentorships/{mentorship}",
    "ledger": "/ledger",
    "ledger-one": "/ledger?cluster=cluee",
    "next": "/next",
    "feed": "/feed",
    "older": "/feed?before=12",
    "missing": "/nothing",
}

pytestmark = MARKS


async def test_every_page_fits_and_can_be_read_by_everybody(story: World, browser: Browser) -> None:
    faults = []
    for width in WIDTHS:
        faults += await _faults_of_all(story, await browser.new_page(), width, "light")
        faults += await _faults_of_all(story, await browser.new_page(), width, "dark")
    assert not faults, "\n".join(faults)


async def _faults_of_all(story: World, page: Page, width: int, scheme: Literal["light", "dark"]) -> list[str]:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=scheme)
    faults = []

    def record_error(message: ConsoleMessage) -> None:
        if "404" not in message.text:  # that one is asked for
            faults.append(f"{page.url}: {message.text}")

    page.on("console", record_error)
    for name, path in PAGES.items():
        await page.goto(story.url + path.format_map(story.ids))
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        faults += [f"{name} {width} {scheme}: {fault}" for fault in await faults_of(page)]
        await keep(page, f"{name}-{width}-{scheme}")
    await page.close()
    return faults


async def test_without_script_every_page_is_complete(story: World, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 900})
    page = await context.new_page()
    for name in ("Trainings", "Pairs", "Mentorships", "Ledger", "Next steps", "Feed", "Consortium"):
        await page.goto(story.url)
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.get_by_role("link", name="Madan Parque").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Madan Parque")
    await page.get_by_text("The same as a table").click()
    await expect(page.get_by_role("table")).to_be_visible()
    await page.goto(f"{story.url}/feed")
    await page.get_by_role("link", name="Older").click()
    newer = page.get_by_role("link", name="Newer")
    await expect(newer).to_be_visible()
    while await newer.count():  # once, unless events have come meanwhile
        await page.goto(urljoin(page.url, await newer.get_attribute("href")))
    await expect(page.get_by_role("heading", level=2)).to_have_text("Newest first")


async def test_the_feed_grows_by_itself_and_keys_reach_everything(story: World, browser: Browser) -> None:
    page = await (await signed_in(browser, story.url, story.token)).new_page()
    await page.goto(f"{story.url}/feed")
    rows = page.locator(".event")
    before = await rows.count()
    await expect(page.get_by_text("Live: new events")).to_be_visible()
    await page.evaluate("window.untouched = true")
    path = f"members/clusters/{story.ids['agroco']}"
    body = {"mentor_capacity": 3, "learner_capacity": 1}
    await story.put(f"{path}/capacity", body, version=(await story.get(path))["version"])
    await expect(rows).to_have_count(before + 1)
    await expect(rows.first).to_contain_text("AGROCO can now mentor three clusters and learn from one cluster.")
    assert await page.evaluate("window.untouched")

    await page.reload()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    focused = page.locator(":focus")
    await expect(focused).to_have_text("As partners receive it")
    assert await focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"


async def test_the_desk_fits_and_can_be_read_by_everybody(story: World, browser: Browser) -> None:
    run = (await story.get("matching/runs"))["items"][0]["id"]
    learner = (await story.get(f"matching/runs/{run}/plan"))["pairs"][0]["learner_id"]
    paths = [
        "/desk",
        f"/desk/runs/{run}",
        f"/desk/runs/{run}/learners/{learner}",
        "/desk/what-ifs/new",
        f"/desk/compare?one={run}&other={run}",
        f"/mentorships/{story.ids['mentorship']}",
    ]
    faults = []
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            look: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            context = await signed_in(browser, story.url, story.token, **look)
            page = await context.new_page()
            for number, path in enumerate(paths):
                await page.goto(story.url + path)
                await expect(page.get_by_role("link", name="Match desk").first).to_be_visible()
                faults += [f"{path} {width} {scheme}: {fault}" for fault in await faults_of(page)]
                await keep(page, f"desk-{number}-{width}-{scheme}")
            await context.close()
    assert not faults, "\n".join(faults)


async def test_a_coordinator_tries_weights_by_keyboard(story: World, browser: Browser) -> None:
    page = await (await signed_in(browser, story.url, story.token, java_script_enabled=False)).new_page()
    await page.goto(f"{story.url}/desk/what-ifs/new")
    slider = page.get_by_label("Knowledge to gain")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(slider).to_have_value("0")
    await page.get_by_role("button", name="Compare").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Side by side")).to_be_visible()
    await expect(page.get_by_label("Knowledge to gain")).to_have_value("0")


async def test_a_page_says_that_what_it_shows_has_changed(story: World, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{story.url}/pairs")
    notice = page.get_by_text("This page has changed.")
    await expect(notice).to_be_hidden()
    open_ = next(pair for pair in (await story.get("matching/pairs?limit=100"))["items"] if pair["state"] == "proposed")
    body = {"side": "learner", "answer": "decline"}
    await story.post(f"matching/pairs/{open_['id']}/answers", body, version=open_["version"])
    await expect(notice).to_be_visible()
    await page.get_by_role("link", name="Show it").click()
    await expect(notice).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
