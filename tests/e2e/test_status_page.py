"""The status page in a real browser: what it shows at 3 a.m., and what it must never show."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from consumer.observability.status.status import ContactStoreStatus, LaneStatus
from consumer.records.result import Reason, Status
from tests.e2e.browsing import visit
from tests.e2e.canaries import CANARIES, plant
from tests.e2e.feed import MadeUp, MadeUpLane, usual
from tests.e2e.serving import served
from tests.support import local_http

pytestmark = pytest.mark.browser

FIRST_BAR = "article[data-lane=pisano-cloud] .bar i"
TILE = "#figures div:has(span:text-is('{}')) b"
FITS = "document.scrollingElement.scrollWidth <= window.innerWidth"


def warm() -> MadeUp:
    """The usual process after some minutes."""
    made = usual()
    made.advance(120)
    return made


def test_the_page_shows_what_the_process_does(context: BrowserContext) -> None:
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
        now = made.report.snapshot()
        for status in Status:
            total = sum(now.results[status].values())
            assert seen.number(TILE.format(status.value)) == total
        for lane in now.lanes:
            assert lane.name in seen.text("#lanes")
        cloud = seen.text("article[data-lane=pisano-cloud]")
        for limit in now.lanes[0].limits:
            assert f"{int(limit.left)} of {limit.calls}" in cloud
        assert now.calls[0].batch in seen.text("#calls")
        assert "dispatcher-0" in seen.text("header")
        assert "3f9a2c71d0e4" in seen.text("header")
        assert "b2b-email is parked" in seen.text("#notes")
        assert seen.said == []


def test_the_contact_store_and_what_rules_held_back(context: BrowserContext) -> None:
    made = warm()
    made.metrics.contacts.set_rules(["everyone"])
    made.metrics.contacts.held_back("pisano-cloud", {("everyone", Reason.CONTACT_LIMIT): 1234})
    made.report.contacts = lambda: ContactStoreStatus("ready", "the contact store refuses: OOM")
    with served(made) as url:
        seen = visit(context, url)
        assert "everyone" in seen.text("#held-back")
        assert "1,234" in seen.text("#held-back")
        assert "refuses: OOM" in seen.text("#contacts")
        assert "no survey is sent meanwhile" in seen.text("#notes")
        assert seen.said == []


def test_without_a_contact_store_the_page_is_silent_about_it(context: BrowserContext) -> None:
    with served(warm()) as url:
        seen = visit(context, url)
        assert not seen.page.locator("#contacts-section").is_visible()
        assert not seen.page.locator("#held-back-section").is_visible()


def test_numbers_and_bars_move_without_a_reload(context: BrowserContext) -> None:
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
        seen.page.evaluate("window.stayed = true")
        accepted, bar = seen.text(TILE.format("accepted")), seen.page.locator(FIRST_BAR).first
        style = bar.get_attribute("style")
        made.advance(30)
        expect(seen.page.locator(TILE.format("accepted"))).not_to_have_text(accepted)
        assert bar.get_attribute("style") != style
        assert seen.page.evaluate("window.stayed") is True
        assert seen.said == []
        assert seen.asked == {urlsplit(url).netloc}


def test_nothing_inline_runs_and_no_other_host_is_asked(context: BrowserContext) -> None:
    """The policy is sent, and the browser keeps it."""
    with served(warm()) as url:
        policy = local_http.get(url).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        seen = visit(context, url)
        seen.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'),"
            " {textContent: 'window.taken = true'}))"
        )
        assert seen.page.evaluate("window.taken") is None
        refused = "fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'refused')"
        assert seen.page.evaluate(refused) == "refused"
        assert sum("Content Security Policy" in line for line in seen.said) >= 2


def test_no_personal_data_and_no_vendors_text_appears(context: BrowserContext) -> None:
    """They are in the recipients, the data, the vendor's answer, and a record's campaign."""
    made = warm()
    plant(made)
    with served(made) as url:
        seen = visit(context, url)
        batch = "canary.1.1"
        assert batch in seen.text("#calls")  # the call itself is there
        assert "canary-lane" in seen.text("#lanes")
        shown = seen.page.content() + local_http.get(f"{url}status.json").text
        assert not [canary for canary in CANARIES if canary in shown]


def test_a_name_is_text_whatever_it_holds(context: BrowserContext) -> None:
    made = MadeUp(elsewhere=["<img src=x onerror='window.taken = true'>"])
    with served(made) as url:
        seen = visit(context, url)
        assert "<img src=x" in seen.text("#lanes")
        assert seen.page.locator("img").count() == 0
        assert seen.said == []


def test_without_lanes_it_says_so(context: BrowserContext) -> None:
    with served(MadeUp()) as url:
        seen = visit(context, url)
        assert "no lanes" in seen.text("main")
        assert seen.said == []


@pytest.mark.parametrize("width", [360, 1600])
def test_fifty_lanes_fit_on_a_phone_and_on_a_wall(chromium: Browser, width: int) -> None:
    rng = random.Random(1)
    lanes = [MadeUpLane(f"tenant-{n:02}-{'long' * 8}", ("sms",), 5.0, rng) for n in range(50)]
    made = MadeUp(lanes)
    made.advance(20)
    context = chromium.new_context(viewport={"width": width, "height": 800})
    with served(made) as url:
        seen = visit(context, url)
        assert seen.page.locator("article.lane").count() == 50
        assert seen.page.evaluate(FITS)
    context.close()


BROKEN = """() => {
  const broken = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data;
    for (const word of text.matchAll(/[\\p{L}\\p{N}:.,+]+/gu)) {
      const range = document.createRange();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""
"""The words that begin in one line and end in another."""


@pytest.mark.parametrize("width", [800, 1280])
def test_no_word_is_broken_and_nothing_is_wider_than_the_window(
    chromium: Browser, width: int
) -> None:
    """With trouble of every kind on the page."""
    context = chromium.new_context(viewport={"width": width, "height": 900})
    with served(warm()) as url:
        seen = visit(context, url)
        assert "parked" in seen.text("#lanes")
        assert seen.page.evaluate(BROKEN) == []
        assert seen.page.evaluate(FITS)
        seen.page.evaluate("document.querySelector('h3').style.width = '2rem'")
        assert seen.page.evaluate(BROKEN) != []  # the test can see one
    context.close()


def test_what_is_delayed_or_parked_counts_as_waiting_and_is_told_apart(
    context: BrowserContext,
) -> None:
    with served(warm()) as url:
        seen = visit(context, url)
        card = seen.text("article[data-lane=pisano-eu]")
        assert "in the lane, 128 delayed" in card
        assert "0 in the lane, 128 parked" in card
        assert seen.number(TILE.format("of these delayed")) == 137


def test_a_lane_whose_calls_are_held_back_promises_no_permit_and_no_end(
    context: BrowserContext,
) -> None:
    with served(warm()) as url:
        card = visit(context, url).text("article[data-lane=pisano-eu]")
        assert "trials only" in card
        assert "not meanwhile" in card
        assert "Only trials leave while the circuit of account pisano-eu is open." in card


def test_each_time_has_the_readers_own_beside_it(chromium: Browser) -> None:
    context = chromium.new_context(timezone_id="Asia/Kolkata")
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
        newest = datetime.fromtimestamp(made.report.snapshot().calls[0].at, UTC)
        there = newest + timedelta(hours=5, minutes=30)
        row = seen.page.locator("#calls tbody tr").first.inner_text()
        assert f"{newest:%H:%M:%S}" in row
        assert f"{there:%H:%M:%S}" in row
        assert "local, GMT+5:30" in seen.text("#calls thead")
        assert re.search(r"since \d\d:\d\d:\d\d UTC, \d\d:\d\d:\d\d local", seen.text("#notes"))
    context.close()


def test_a_filter_by_lane_and_campaign_stays_over_a_refresh(context: BrowserContext) -> None:
    """It is in the address, behind #: no server sees it."""
    with served(warm()) as url:
        seen = visit(context, url)
        page = seen.page
        page.select_option("#filter-lane", "pisano-cloud")
        page.fill("#filter-campaign", "VISIT")
        for _ in range(2):
            shown = page.locator("article.lane:visible")
            expect(shown).to_have_count(1)
            assert "visit-sms" in shown.inner_text()
            assert "loyalty-sms" not in shown.inner_text()
            rows = page.locator("#calls tbody tr").all_inner_texts()
            assert rows
            assert all("visit-sms" in row for row in rows)
            assert page.url.endswith("#lane=pisano-cloud&campaign=VISIT")
            page.reload()
            page.wait_for_selector("#live[data-state=live]")
        page.fill("#filter-campaign", "nothing is called so")
        expect(page.locator("#no-match")).to_be_visible()
        assert seen.said == []
        assert seen.asked == {urlsplit(url).netloc}


def test_dark_and_light_follow_the_reader(chromium: Browser) -> None:
    papers = []
    with served(warm()) as url:
        for scheme in ("dark", "light"):
            context = chromium.new_context(color_scheme=scheme)
            page = visit(context, url).page
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
    assert papers == ["rgb(20, 23, 27)", "rgb(245, 246, 248)"]


def test_a_process_that_is_gone_is_said_and_one_that_comes_back_is_shown(
    context: BrowserContext,
) -> None:
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
    seen.page.wait_for_selector("#live[data-state=lost]")
    assert "no answer for" in seen.text("#live")
    with served(made, urlsplit(url).port or 0):
        seen.page.wait_for_selector("#live[data-state=live]")


def test_a_lane_that_went_elsewhere_shows_no_old_numbers(context: BrowserContext) -> None:
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
        made.board.clear_lane("radar")
        made.now += 1
        seen.page.wait_for_selector("article.elsewhere[data-lane=radar]")
        card = seen.text("article[data-lane=radar]")
        assert "not owned by this process" in card
        assert "visit" not in card


def test_a_lane_that_lost_a_limit_shows_it_no_more(context: BrowserContext) -> None:
    """A reload may change a quota."""
    made = warm()
    with served(made) as url:
        seen = visit(context, url)
        made.board.lane(LaneStatus("pisano-cloud", "here", limits=made.own[2].status(0).limits))
        made.now += 1
        limits = seen.page.locator("article[data-lane=pisano-cloud] .limit")
        expect(limits).to_have_count(1)
        assert "60/60s" in seen.text("article[data-lane=pisano-cloud]")
