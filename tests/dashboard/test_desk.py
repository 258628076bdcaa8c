"""The desk in Chromium: what operators see changes by itself, and what they do is done."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.conftest import ClosedServer, DeskServer

pytestmark = pytest.mark.timeout(280)
SOON = 60_000


def row(page: Page, text: str) -> object:
    return page.locator("tr", has_text=text)


def said(page: Page, text: str) -> None:
    """A message at the edge says this."""
    expect(page.locator(".q-notification", has_text=text).first).to_be_visible(timeout=SOON)


def run_of(server: DeskServer, run_id: str) -> dict[str, object]:
    return httpx.get(f"{server.url}/runs/{run_id}").json()


def test_an_upload_goes_through_before_ones_eyes(page: Page, server: DeskServer, sound: bytes) -> None:
    page.goto("/desk/runs?q=queue:media")
    expect(page.get_by_text("No run matches")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    server.upload(sound, "tone.wav", title="Watched")
    made = page.locator("tbody tr")
    expect(made.filter(has_text="transcode_version").first).to_be_visible(timeout=SOON)
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('tbody .state')];"
        " return all.length >= 2 && all.every(each => each.textContent === 'succeeded') }",
        timeout=SOON,
    )
    count = made.count()
    expect(page.locator(".rail a", has_text="succeeded").locator("em")).to_have_text(re.compile(r"\d+"))
    assert page.evaluate("window.loadedOnce"), "the page was loaded again"
    assert count >= 2


def test_the_search_finds_by_qualifiers_and_by_error_text(page: Page, server: DeskServer) -> None:
    ids = server.seed("broken", 3)
    page.goto("/desk/")
    page.keyboard.press("/")
    page.keyboard.type("task:check_release state:dead args.release:r1 not understood")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/runs?q=**")
    expect(page.locator("tbody tr")).to_have_count(1, timeout=SOON)
    expect(page.locator("tbody a").first).to_have_attribute("href", f"/desk/runs/{ids[1]}")
    # What an error says is text, and no markup.
    expect(page.locator("tbody tr")).to_contain_text("not understood <b>at all</b>")
    page.reload()
    expect(page.locator(".search input")).to_have_value("task:check_release state:dead args.release:r1 not understood")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto("/desk/runs?q=key:release:r2")
    expect(page.locator("tbody a").first).to_have_attribute("href", f"/desk/runs/{ids[2]}")
    page.goto("/desk/runs?q=state:ded")
    expect(page.get_by_text("there is no state 'ded'")).to_be_visible()


def test_a_failed_run_is_read_mended_and_succeeds(page: Page, server: DeskServer) -> None:
    (run_id,) = server.seed("broken")
    page.goto(f"/desk/runs/{run_id}")
    expect(page.locator(".part-head .state")).to_have_text("dead", timeout=SOON)
    first = page.locator("details.attempt", has_text="#1")
    expect(first.locator(".log")).to_contain_text("looking at release r0")
    expect(first.locator(".log .WARNING")).to_contain_text("its codec is mp9")
    first.get_by_text("Traceback", exact=True).click()
    expect(first.locator("details pre")).to_contain_text("raise InvalidInput")
    expect(page.locator("body")).not_to_contain_text("hush-hush")
    page.evaluate("window.loadedOnce = true")

    page.get_by_role("button", name="Edit and requeue").click()
    field = page.get_by_role("dialog").get_by_role("textbox")
    expect(field).to_have_value(re.compile("•••"))
    field.fill(field.input_value().replace("mp9", "opus"))
    page.get_by_role("dialog").get_by_role("button", name="Requeue").click()
    expect(page.locator(".part-head .state")).to_have_text("succeeded", timeout=SOON)
    expect(page.locator("details.attempt").first).to_contain_text("its codec is opus")
    expect(page.locator("details.attempt").last).to_contain_text("It ran with other arguments")
    expect(page.locator(".part-data")).to_contain_text("opus")
    assert page.evaluate("window.loadedOnce")
    # What was hidden was not overwritten by what hid it.
    assert run_of(server, run_id)["args"] == {"release": "r0", "codec": "opus", "api_key": "hush-hush"}
    page.goto("/desk/audit")
    done = page.locator("tr", has_text=run_id).filter(has_text="run.requeue")
    expect(done).to_contain_text("edited: codec")
    expect(done).to_contain_text("desk")


def test_arguments_that_are_none_are_refused(page: Page, server: DeskServer) -> None:
    (run_id,) = server.seed("broken")
    page.goto(f"/desk/runs/{run_id}")
    page.get_by_role("button", name="Edit and requeue").click()
    page.get_by_role("dialog").get_by_role("textbox").fill('{"release": ')
    page.get_by_role("dialog").get_by_role("button", name="Requeue").click()
    said(page, "the arguments are no JSON")
    assert run_of(server, run_id)["state"] == "dead"


def test_a_paused_queue_has_a_banner_in_every_tab(page: Page, server: DeskServer) -> None:
    page.goto("/desk/queues")
    other = page.context.new_page()
    other.goto("/desk/queues")
    queue = page.locator(".part-queues tr", has_text="marketplace")
    queue.get_by_role("button", name="Pause").click()
    for tab in (page, other):
        expect(tab.locator(".banner", has_text="marketplace is paused")).to_be_visible(timeout=10_000)
    assert next(each for each in httpx.get(f"{server.url}/queues").json() if each["name"] == "marketplace")["paused"]
    queue.get_by_role("button", name="Resume").click()
    for tab in (page, other):
        expect(tab.locator(".banner", has_text="marketplace is paused")).to_be_hidden(timeout=10_000)


def test_500_dead_runs_are_requeued_at_once(page: Page, server: DeskServer) -> None:
    ids = server.seed("dying", 500)
    server.until(lambda: run_of(server, ids[-1])["state"] == "dead")
    page.goto("/desk/dead")
    group = page.locator(".part-groups tr", has_text="no negative numbers")
    expect(group.locator("td").first).to_have_text("500", timeout=SOON)
    group.get_by_role("button", name="Requeue").click()
    expect(page.get_by_role("dialog")).to_contain_text("Requeue 500 matching runs?")
    page.get_by_role("dialog").get_by_role("button", name="Requeue 500").click()
    said(page, "500 requeued.")
    server.until(lambda: all(run_of(server, each)["state"] == "dead" for each in (ids[0], ids[250], ids[-1])))
    assert [len(run_of(server, each)["attempts"]) for each in (ids[0], ids[-1])] == [2, 2]

    page.goto("/desk/runs?q=task:tag_item state:dead")
    boxes = page.locator("input[data-id]")
    boxes.nth(0).click()
    boxes.nth(9).click(modifiers=["Shift"])
    expect(page.locator(".chosen")).to_have_text("10 selected")
    page.get_by_role("button", name="Purge", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Purge 10").click()
    said(page, "10 purged.")
    counts = httpx.get(f"{server.url}/dead/groups").json()
    assert next(each for each in counts if each["task"] == "tag_item")["count"] == 490


def test_a_schedule_gets_another_interval(page: Page, server: DeskServer) -> None:
    page.goto("/desk/schedules")
    line = page.locator("tr", has_text="tidy_shelves")
    for timing in ("every now and then", "every 300"):
        line.get_by_role("button", name="Interval").click()
        page.get_by_role("dialog").get_by_role("textbox").fill(timing)
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        if timing == "every now and then":
            said(page, "Refused")
    expect(line).to_contain_text("an override is in force", timeout=SOON)
    found = next(each for each in httpx.get(f"{server.url}/schedules").json() if each["task"] == "tidy_shelves")
    assert (found["declared"], found["override"]) == ("0 4 * * *", "every 300")
    line.get_by_role("button", name="Run now").click()
    page.get_by_role("dialog").get_by_role("textbox").fill('{"deep": true}')
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/desk/runs/*")
    expect(page.locator(".part-head .state")).to_have_text("succeeded", timeout=SOON)
    expect(page.locator(".log")).to_contain_text("tidying, deep: True")


def test_a_running_run_shows_how_far_it_is_and_is_cancelled(page: Page, server: DeskServer) -> None:
    (run_id,) = server.seed("slow")
    page.goto(f"/desk/runs/{run_id}")
    bar = page.locator(".part-head [role=progressbar]")
    expect(bar).to_have_attribute("aria-valuenow", re.compile("[1-9]"), timeout=SOON)
    # It moves from second to second, and not only when the ledger is told.
    seen: set[str | None] = set()
    for _ in range(40):
        seen.add(bar.get_attribute("aria-valuenow"))
        page.wait_for_timeout(100)
    assert len(seen) >= 3, seen
    page.get_by_role("button", name="Cancel run").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    expect(page.locator(".part-head .state")).to_have_text("cancelled", timeout=SOON)


@pytest.fixture
def guest(browser: Browser, closed: ClosedServer) -> Iterator[Page]:
    """A page of a server that wants a sign-in."""
    context = browser.new_context(base_url=closed.url)
    yield context.new_page()
    context.close()


def test_a_viewer_looks_and_is_refused(guest: Page, closed: ClosedServer) -> None:
    guest.goto("/desk/queues")
    guest.get_by_label("Token").fill(closed.token("viewer"))
    guest.get_by_role("button", name="Sign in").click()
    guest.wait_for_url("**/desk/queues")
    expect(guest.locator(".who")).to_have_text("did:plc:viewerviewer")
    guest.locator(".part-queues tr", has_text="media").get_by_role("button", name="Pause").click()
    said(guest, "this needs the role operator, and you are signed in as viewer")
    # Neither does what the page would not offer.
    guest.evaluate("emitEvent('desk', {act: 'runs.purge', arg: '', ids: []})")
    guest.evaluate("emitEvent('desk', {act: 'queue.pause', arg: 'media'})")
    expect(guest.locator(".q-notification", has_text="needs the role operator")).not_to_have_count(0)
    operator = {"Authorization": f"Bearer {closed.token('operator')}"}
    queues = httpx.get(f"{closed.url}/queues", headers=operator).json()
    assert not any(each["paused"] for each in queues)
    guest.get_by_role("button", name="Sign out").click()
    guest.wait_for_url("**/desk/sign-in")


def test_an_operator_whose_sign_in_was_closed_is_refused(guest: Page, closed: ClosedServer) -> None:
    guest.goto("/desk/queues")
    guest.get_by_label("Token").fill(closed.token("operator"))
    guest.get_by_role("button", name="Sign in").click()
    guest.wait_for_url("**/desk/queues")
    expect(guest.get_by_role("button", name="Pause").first).to_be_visible()
    closed.say("backend.cli", "sign-ins", "close", "did:plc:operator")
    guest.get_by_role("button", name="Pause").first.click()
    said(guest, "this sign-in has ended")


def test_a_run_leads_to_what_its_request_and_its_trace_asked_for(page: Page, server: DeskServer, sound: bytes) -> None:
    server.upload(sound, "tone.wav", title="Traced")
    page.goto("/desk/runs?q=task:transcode_version")
    page.locator("tbody a").first.click(timeout=SOON)
    expect(page.locator(".facts")).to_contain_text("POST /tracks")
    expect(page.locator(".chain").first).to_contain_text("ingest_upload")
    page.get_by_role("link", name="its runs").click()
    expect(page.locator("tbody tr", has_text="ingest_upload")).to_have_count(1, timeout=SOON)
    expect(page.locator("tbody tr", has_text="transcode_version")).to_have_count(1)
    page.go_back()
    page.get_by_role("link", name="all it asked for").click()
    expect(page.locator("tbody tr", has_text="ingest_upload")).to_have_count(1, timeout=SOON)
