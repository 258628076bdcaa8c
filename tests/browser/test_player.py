"""The player page in Chromium: it is seen, it is heard, it is steered, and it tells what is wrong."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import audio
from tests.browser.conftest import HOSTILE, SECONDS
from tests.browser.server import BacklineServer, Json, is_whole

# The first test waits for the server, the browser and the track.
pytestmark = pytest.mark.timeout(300)

AT = "document.getElementById('audio').currentTime"


def until(page: Page, condition: str, seconds: float = 30) -> None:
    """Wait until this is true in the page. Asked from outside: the page's policy forbids to evaluate text inside."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"not after {seconds} s: {condition}"
        page.wait_for_timeout(50)


def opened(page: Page, track: Json) -> None:
    """The page of a track, ready to play."""
    page.goto(f"/t/{track['id']}")
    expect(page.locator("#play")).to_be_enabled()


def test_opus_plays(page: Page, track: Json) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    opened(page, track)
    assert not any(".m4s" in url for url in fetched)  # a page that is only looked at fetches no sound
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 1")
    assert page.evaluate("document.getElementById('audio').duration") == pytest.approx(SECONDS, abs=0.1)
    assert any("/hls_opus/segment_000.m4s" in url for url in fetched)
    page.get_by_role("button", name="Pause").click()
    stopped = page.evaluate(AT)
    expect(page.locator("#elapsed")).to_have_text(f"0:{int(stopped):02}")
    assert page.evaluate("document.getElementById('audio').paused")


def test_a_play_counts_once_it_was_heard(page: Page, server: BacklineServer, sound: bytes) -> None:
    made = server.upload(sound, "tone.wav", title="Heard")
    track = server.track_when(made["track"]["id"], is_whole)
    opened(page, track)
    page.get_by_role("button", name="Play").click()
    until(page, "document.getElementById('audio').ended")
    assert server.track_when(track["id"], lambda heard: heard["play_count"] > 0)["play_count"] == 1
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 1 && {AT} < 1.9")
    assert server.track_when(track["id"], lambda heard: True)["play_count"] == 1


def test_aac_plays_from_where_opus_was(page: Page, track: Json) -> None:
    opened(page, track)
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 0.7")
    with page.expect_request(lambda request: "/hls_aac/segment_000.m4s" in request.url):
        page.get_by_role("button", name="AAC").click()
    until(page, f"{AT} > 1.5 && !document.getElementById('audio').paused")
    expect(page.get_by_role("button", name="AAC")).to_have_attribute("aria-pressed", "true")


def test_a_click_on_the_waveform_goes_there(page: Page, track: Json) -> None:
    opened(page, track)
    bar = page.locator("#seek")
    box = bar.bounding_box()
    assert box
    bar.click(position={"x": box["width"] * 0.7, "y": box["height"] / 2})
    until(page, f"{AT} > {SECONDS * 0.7 + 0.5}")
    assert page.evaluate(AT) < SECONDS * 0.7 + 8
    page.get_by_role("button", name="Pause").click()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20, steps=4)
    expect(page.locator("#hint")).to_have_text("0:05")
    page.mouse.up()
    until(page, f"Math.abs({AT} - {SECONDS * 0.25}) < 0.2")


def test_keys_move_the_slider(page: Page, track: Json) -> None:
    opened(page, track)
    slider = page.get_by_role("slider", name="Seek")
    slider.focus()
    expect(slider).to_have_attribute("aria-valuemax", f"{SECONDS:.1f}")
    for key, at in (("ArrowRight", 5), ("ArrowRight", 10), ("ArrowLeft", 5), ("PageUp", 19.95), ("Home", 0)):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuenow", f"{at:.1f}" if at != 19.95 else "19.9")
    slider.press("ArrowUp")
    expect(slider).to_have_attribute("aria-valuetext", "0:05 of 0:20")
    slider.press(" ")
    until(page, f"{AT} > 5.2")


def test_the_waveform_is_drawn_as_loud_as_it_is(page: Page, track: Json) -> None:
    """The first half of the sound is 20 dB louder than the second: so are its bars."""
    opened(page, track)
    until(page, "document.getElementById('wave').width > 300")
    tall = """(share) => {
        const canvas = document.getElementById('wave'), pen = canvas.getContext('2d');
        let most = 0;
        for (let x = share * canvas.width | 0; x < share * canvas.width + 20; x++) {
            const column = pen.getImageData(x, 0, 1, canvas.height).data;
            most = Math.max(most, column.filter((value, at) => at % 4 === 3 && value > 0).length);
        }
        return most / canvas.height;
    }"""
    until(page, f"({tall})(0.2) > 0.7")
    assert page.evaluate(tall, 0.7) < 0.3


def test_volume_is_kept(page: Page, track: Json) -> None:
    opened(page, track)
    page.locator("#volume").fill("0.3")
    page.reload()
    expect(page.locator("#play")).to_be_enabled()
    assert page.evaluate("document.getElementById('audio').volume") == pytest.approx(0.3)
    page.get_by_role("button", name="Mute").click()
    assert page.evaluate("document.getElementById('audio').muted")


def test_figures_are_those_of_the_track(page: Page, track: Json) -> None:
    opened(page, track)
    figures = track["version"]["loudness"]
    for text in (
        f"{figures['integrated_lufs']:.1f} LUFS".replace("-", "−"),
        f"{figures['true_peak_dbtp']:.1f} dBTP".replace("-", "−"),
        f"{figures['range_lu']:.1f} LU",
    ):
        expect(page.locator("#loudness")).to_contain_text(text)
    for text in ("FLAC", "48 kHz", "Stereo", "0:20", "Lossless"):
        expect(page.locator("#format")).to_contain_text(text)


def test_a_hostile_title_is_text(page: Page, track: Json) -> None:
    opened(page, track)
    assert track["title"].startswith(HOSTILE.partition(" \u202e")[0])  # what is left of it when it was taken in
    assert page.locator("#title").evaluate("node => node.textContent") == track["title"]
    assert page.locator("#title").evaluate("node => node.children.length") == 0
    assert page.locator("#artist").text_content() == "<b>Nina</b>"
    assert page.title() != "owned"


def test_a_track_in_the_making_becomes_playable_before_ones_eyes(
    page: Page, server: BacklineServer, sound: bytes
) -> None:
    server.post("/queues/media/pause")
    made = server.upload(sound, "tone.wav", title="Soon")
    page.goto(f"/t/{made['track']['id']}")
    expect(page.locator("#making li")).to_contain_text("Checking the file")
    expect(page.locator("#play")).to_be_disabled()
    server.post("/queues/media/resume")
    expect(page.locator("#play")).to_be_enabled(timeout=60_000)
    expect(page.locator("#making")).to_be_hidden(timeout=60_000)
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 0.3")


def test_a_failed_track_says_why(page: Page, server: BacklineServer, tmp_path: Path) -> None:
    broken = audio.truncated(tmp_path / "cut.wav").read_bytes()
    made = server.upload(broken, "cut.wav", title="Cut")
    failed = server.track_when(made["track"]["id"], lambda track: track["version"]["status"] == "failed")
    page.goto(f"/t/{failed['id']}")
    expect(page.get_by_role("alert").filter(has_text="cannot be played")).to_contain_text(failed["version"]["error"])
    expect(page.locator("#play")).to_be_hidden()


def test_a_stream_that_breaks_gives_way_to_the_next_one(page: Page, track: Json) -> None:
    page.route("**/hls_opus/*.m4s", lambda route: route.fulfill(status=404))
    opened(page, track)
    page.get_by_role("button", name="Play").click()
    until(page, f"{AT} > 0.5", 60)
    expect(page.get_by_role("button", name="AAC")).to_have_attribute("aria-pressed", "true")


def test_a_server_that_is_gone_is_told(page: Page, track: Json) -> None:
    opened(page, track)
    page.route("**/hls/**", lambda route: route.fulfill(status=404))
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#trouble")).to_contain_text("the server answered 404", timeout=40_000)


def test_a_track_that_is_not_there(page: Page, server: BacklineServer) -> None:
    answer = page.goto("/t/01890000-0000-7000-8000-000000000000")
    assert answer
    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("There is no such track")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_sticks_out_of_a_narrow_screen(page: Page, track: Json, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, track)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_artwork_of_the_track_is_shown(page: Page, server: BacklineServer, tmp_path: Path) -> None:
    """The cover inside the file: 300 x 200 pixels, as the browser decodes them."""
    covered = audio.with_cover(tmp_path / "covered.flac").read_bytes()
    made = server.upload(covered, "covered.flac", title="Covered")
    page.goto(f"/t/{made['track']['id']}")
    expect(page.locator("#artwork")).to_be_visible(timeout=60_000)
    assert page.locator("#artwork").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [300, 200]
