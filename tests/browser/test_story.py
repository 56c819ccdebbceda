"""The story in a real browser: what others do appears by itself, and a request becomes a line of the ledger."""

import re
from datetime import timedelta

from playwright.async_api import Browser, Locator, Page, expect

from shared import clock
from shared.auth import Role
from tests.browser.looking import MARKS, keep, signed_in
from tests.services.console.actions import Person
from tests.services.console.world import World

pytestmark = MARKS

SKILL = "value-chain-analysis"


async def opened(story: World, browser: Browser, token: str, path: str) -> Page:
    """A page in the browser of somebody who has signed in."""
    page = await (await signed_in(browser, story.url, token)).new_page()
    await page.goto(story.url + path)
    return page


async def of_manager(story: World, browser: Browser, slug: str, path: str) -> Page:
    return await opened(story, browser, Person(story, Role.manager, cluster=story.ids[slug]).token, path)


async def comes(page: Page, wanted: Locator) -> None:
    """Follow what the page says by itself when something has changed, until it shows what is wanted."""
    notice = page.locator("[data-changes]:not([hidden])")
    assert not await wanted.is_visible()
    while not await wanted.is_visible():
        await expect(notice).to_be_visible(timeout=20_000)
        async with page.expect_navigation():
            await notice.get_by_role("link", name="Show it").click()


async def offer_places(story: World, slug: str, mentor: int) -> None:
    """Have a cluster take on so many learners."""
    path = f"members/clusters/{story.ids[slug]}"
    body = {"mentor_capacity": mentor, "learner_capacity": 1}
    await story.put(f"{path}/capacity", body, version=(await story.get(path))["version"])
    await story.settled()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()


async def test_a_request_becomes_confirmed_knowledge_on_the_pages(story: World, browser: Browser) -> None:
    await offer_places(story, "agroco", 2)
    learner = await of_manager(story, browser, "green-synergy", "/pairs")
    mentor = await of_manager(story, browser, "biomastec", "/pairs")
    await _ask(story, learner)
    await _decline_the_best(learner)
    await _agree(mentor, learner)
    await _work_to_the_end(mentor, learner)

    today = clock.now().date()
    scores = {SKILL: 3, "market-foresight": 2, "financing": 1}
    assessment = {"framework": "self-check", "kind": "expert", "scores": scores, "illustrative": True}
    dates = {"assessed_on": today.isoformat(), "valid_until": (today + timedelta(days=700)).isoformat()}
    await story.post(f"members/clusters/{story.ids['green-synergy']}/assessments", assessment | dates)
    await comes(mentor, mentor.get_by_text("An assessment confirmed 75 of 100"))
    await mentor.goto(f"{story.url}/ledger?cluster=green-synergy")
    await keep(mentor, "story-ledger")
    need = mentor.locator(".line").filter(has_text="Green Synergy Cluster: value-chain analysis")
    await expect(need).to_contain_text("1 → 3")
    await expect(need).to_contain_text("Mentorship with BIOMASTEC.")
    line = mentor.get_by_role("row").filter(has_text="BIOMASTEC taught").filter(has_text="Value-chain analysis")
    cells = await line.get_by_role("cell").all_inner_texts()
    assert [cell.split()[0] for cell in cells[-3:]] == ["2", "2", "2"], "planned, reported, confirmed"


def _for_the_request(page: Page) -> Locator:
    return page.locator(".answering").filter(has_text="for help with value-chain analysis")


async def _ask(story: World, learner: Page) -> None:
    """The page that the learner looks at says by itself that it was answered."""
    help_request = {"framework": "self-check", "indicator": SKILL, "urgency": 5, "text": "Where is value lost?"}
    await story.post(f"members/clusters/{story.ids['green-synergy']}/requests", {**help_request, "illustrative": True})
    await comes(learner, _for_the_request(learner).first)
    await expect(_for_the_request(learner)).to_have_count(3)


async def _decline_the_best(learner: Page) -> None:
    """Another mentor is asked in its place."""
    proposals = _for_the_request(learner)
    before = await proposals.get_by_role("heading").all_inner_texts()
    await proposals.first.get_by_role("textbox").fill("Too far away for us.")
    await proposals.first.get_by_role("button", name="No").click()
    await expect(learner.get_by_text("The next best mentor is asked")).to_be_visible()
    await expect(proposals).to_have_count(3)
    after = await proposals.get_by_role("heading").all_inner_texts()
    assert after[:2] == before[1:]
    assert after[2] not in before


async def _agree(mentor: Page, learner: Page) -> None:
    await mentor.reload()
    await _for_the_request(mentor).get_by_role("button", name="Yes, as the mentor").click()
    await expect(mentor.get_by_text("You have said yes.")).to_be_visible()
    chosen = _for_the_request(learner).filter(has_text="BIOMASTEC said yes")
    await comes(learner, chosen)
    await chosen.get_by_role("button", name="Yes, as the learner").click()
    await expect(learner).to_have_url(re.compile("/mentorships/"))
    await mentor.goto(learner.url)
    await press(mentor, "Confirm as the mentor")
    await learner.reload()
    await press(learner, "Confirm as the learner")
    await comes(mentor, mentor.get_by_role("heading", name="Health"))


async def _work_to_the_end(mentor: Page, learner: Page) -> None:
    await learner.get_by_label("Goal", exact=True).select_option("Value-chain analysis")
    await learner.get_by_label("Level reached").fill("3")
    await learner.locator("form[action$='/progress']").get_by_role("button").click()
    await expect(learner.get_by_text("The level reached is saved.")).to_be_visible()
    await learner.get_by_text("End this mentorship").click()
    await press(learner, "End mentorship")
    await comes(mentor, mentor.get_by_role("heading", name="How it ended"))


async def test_a_plan_that_follows_is_seen_as_it_comes(story: World, browser: Browser) -> None:
    desk = await opened(story, browser, story.token, "/desk")
    plans = desk.get_by_role("region", name="Plans").locator(".line")
    before = await plans.count()
    await offer_places(story, "innoskart", 4)
    await comes(desk, plans.nth(before))
    await expect(plans.first).to_contain_text("published")
    await expect(plans.first).to_contain_text(re.compile("Made after .* event"))
    await plans.first.get_by_role("link").click()
    await expect(desk.get_by_role("heading", level=1)).to_contain_text("Plan of")


async def test_a_plan_that_is_being_made_shows_itself(story: World, browser: Browser) -> None:
    desk = await opened(story, browser, story.token, "/desk")
    await press(desk, "Make a plan")
    await expect(desk.get_by_role("heading", name="Publish")).to_be_visible(timeout=20_000)
