"""The page in a real browser, over plain values; tests/ros/test_console.py has real nodes."""

import re
import shutil
from pathlib import Path

import pytest
from playwright import sync_api

from hrl_master.approver_keys import ApproverKey, Approvers, Statement, make_approver
from tests.fake_console import FakeGateway, fake_console, serving

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000  # ms, on a busy computer
DESK, PHONE = (1360, 900), (390, 844)


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium: sudo apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def console():
    with fake_console() as (fake, given, tokens):
        yield fake, given, tokens


@pytest.fixture
def open_page(browser, console):
    """open_page(person, size) -> a page that is logged in; no script may fail on it."""
    fake, given, _ = console
    fake.approvals.clear()
    fake.did.clear()
    fake.set(approvals=[], people=[])
    contexts, faults = [], []

    def open_page(who: str, size: tuple[int, int] = DESK):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(fake.served.url)
        page.fill("#token", given[who])
        page.click("#login button")
        page.wait_for_selector("#link.good")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def says(page, selector: str, text: str) -> None:
    sync_api.expect(page.locator(selector)).to_contain_text(text, timeout=PATIENCE)


def press(page, approval: str, button: str) -> None:
    page.locator(f"[data-id={approval}]").get_by_role("button", name=button).click()


def test_an_order_is_entered_and_seen_by_others_as_text(console, open_page):
    ada, vic = open_page("Ada"), open_page("Vic")
    sync_api.expect(vic.locator("#orders-part")).to_be_hidden()
    ada.select_option("[name=item]", "jar")
    ada.select_option("[name=from_bin]", "B2")
    ada.select_option("[name=to_station]", "shipping")
    ada.click("text=Give order")
    says(vic, "#missions", "waits")
    says(vic, "#missions", "jar from B2 to shipping")
    says(vic, "#people", "Ada gave an order")
    ada.on("dialog", lambda dialog: dialog.accept())
    ada.click("#missions >> text=Cancel")
    says(vic, "#people", "Ada ended a mission")
    hostile = "<img src=x onerror=alert(1)>"
    decision = console[0].sections["decision"]
    console[0].set(decision={**decision, "what": hostile, "reason": hostile})
    says(vic, "#decision .now", hostile)
    assert vic.locator("#decision img").count() == 0
    console[0].set(decision=decision)


def test_approvals_are_answered_denied_with_a_reason_and_expire(console, open_page):
    fake = console[0]
    ada, vic = open_page("Ada"), open_page("Vic")
    fake.ask("yes")
    sync_api.expect(ada.locator(".approval img").first).to_have_js_property(
        "naturalWidth", 320, timeout=PATIENCE
    )
    left = ada.locator(".approval .left")
    sync_api.expect(left).to_have_text(re.compile(r"\d"), timeout=PATIENCE)
    assert float(left.inner_text().split()[0]) <= 60
    says(vic, ".approval", "An approver has to answer")
    press(ada, "yes", "Approve")
    says(vic, ".approval", "approved by Ada")
    fake.ask("no")
    press(ada, "no", "Deny")
    says(ada, "#toasts", "A denial needs a reason")
    assert fake.approvals["no"]["state"] == "pending"
    ada.fill(".approval:not(.ended) input", "somebody stands there")
    fake.ask("other")  # what is typed is not lost when the list changes
    card = ada.locator("[data-id=no]")
    sync_api.expect(card.locator("input")).to_have_value("somebody stands there")
    press(ada, "no", "Deny")
    says(vic, "[data-id=no]", "denied by Ada")
    says(vic, "[data-id=no]", "somebody stands there")
    fake.time += 100
    says(vic, "[data-id=other]", "expired: no answer means no")
    assert [did[:2] for did in fake.did] == [("Ada", "approved"), ("Ada", "denied")]


def test_of_two_who_answer_at_once_one_counts_and_the_other_is_told(console, open_page):
    fake = console[0]
    bob = open_page("Bob")
    fake.ask("race")
    bob.wait_for_selector("[data-id=race] form")
    # Zoe is faster, and Bob's page does not know it yet.
    fake.approvals["race"] = {**fake.approvals["race"], "state": "denied", "by": "Zoe"}
    press(bob, "race", "Approve")
    says(bob, "#toasts", "has ended already: denied by Zoe")
    assert fake.did == []


def test_an_answer_is_signed_by_a_key_that_stays_in_the_page(console, open_page, tmp_path):
    fake = console[0]
    public, private = make_approver("Ada", tmp_path / "public", tmp_path / "private")
    signatures = []
    answer = fake.answer

    async def take(by, approval, approve, comment, signature):
        signatures.append(signature)
        return await answer(by, approval, approve, comment, signature)

    fake.answer = take
    try:
        ada = open_page("Ada")
        ada.set_input_files("#key-file", private)
        says(ada, "#key-state", "signed")
        fake.ask("signed", what='grasp "Öl" \\ 😀')
        ada.fill("[data-id=signed] input", "ja, \t<ok> é\x7f")
        press(ada, "signed", "Approve")
        says(ada, "[data-id=signed]", "approved by Ada")
    finally:
        del fake.answer
    asked = fake.approvals["signed"]
    statement = Statement(
        "signed", asked["mission"], asked["decision"], asked["what"], tuple(asked["asked"]), True,
        "Ada", asked["comment"],
    )  # fmt: skip
    assert ApproverKey(private).sign(statement) == signatures[0]
    assert Approvers(Path(public).parent).objection(statement, signatures[0]) == ""


def test_anybody_stops_and_an_operator_releases(console, open_page):
    ada, vic = open_page("Ada"), open_page("Vic")
    vic.click("#stop")
    says(ada, "#stopped", "The emergency stop is pressed")
    sync_api.expect(vic.locator("#stop")).to_be_disabled()
    ada.on("dialog", lambda dialog: dialog.accept())
    ada.click("#stop")
    sync_api.expect(vic.locator("#stopped")).to_be_hidden(timeout=PATIENCE)
    assert [did[:2] for did in console[0].did] == [
        ("Vic", "pressed the stop"), ("Ada", "released the stop"),
    ]  # fmt: skip


def test_on_a_phone_nothing_scrolls_sideways_and_stop_and_approvals_stay_in_sight(
    console, open_page
):
    console[0].ask("phone", what="place " + "x" * 60)
    page = open_page("Ada", PHONE)
    page.wait_for_selector(".approval")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.locator("#logout").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 300
    for selector in ("#stop", ".approval .main"):
        sync_api.expect(page.locator(selector)).to_be_in_viewport(timeout=PATIENCE)


def test_a_lost_connection_is_shown_and_comes_back(console, browser):
    _, given, tokens = console
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with serving(FakeGateway(), tokens) as first:
        port = int(first.served.url.rpartition(":")[2])
        page.goto(f"{first.served.url}/#{given['Ada']}")  # as a link brings its token
        page.wait_for_selector("#link.good")
        assert given["Ada"] not in page.url
        sync_api.expect(page.locator("#lost")).to_be_hidden()
    says(page, "#lost", "The connection is lost")
    page.click("#stop")
    says(page, "#toasts", "No answer: the connection is lost")
    with serving(FakeGateway(), tokens, port):
        page.wait_for_selector("#link.good")
        sync_api.expect(page.locator("#lost")).to_be_hidden()
    context.close()
