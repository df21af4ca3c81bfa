"""The page in a browser."""

import contextlib
import math
import time

import pytest

pytest.importorskip("uvicorn", reason="the extra [play] is not installed")
pytest.importorskip("starlette", reason="the extra [play] is not installed")
pytest.importorskip("websockets", reason="the extra [play] is not installed")

from nengo_tactile.datasets import read_events
from nengo_tactile.play.desk import Networks
from tests.support import chromium
from tests.support.play_pages import served

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
#: Ways over the skin, in shares of its width and height from its middle.
ONE = [(0, -0.35 + 0.7 * k / 24) for k in range(25)]
TURN = [math.tau * k / 48 for k in range(49)]
EIGHT = [(0.2 * math.sin(2 * angle), -0.35 * math.cos(angle)) for angle in TURN]
OVER = "document.getElementById('status').textContent.startsWith('The recording is over')"


@pytest.fixture(scope="module")
def networks():
    return Networks("eskin-cnn")


@pytest.fixture
def page(networks, tmp_path):
    with (
        served(networks) as port,
        chromium.browsing(tmp_path, f"http://127.0.0.1:{port}/") as browser,
    ):
        browser.wait("document.getElementById('status')?.textContent.startsWith('Ready')")
        yield browser
        assert not browser.complaints


def draw(page, way, seconds=0.8):
    box = page.value("document.getElementById('skin').getBoundingClientRect().toJSON()")
    places = [
        (box["x"] + box["width"] * (0.5 + x), box["y"] + box["height"] * (0.5 + y)) for x, y in way
    ]
    begin = time.monotonic()
    page.mouse("mousePressed", *places[0])
    for k, place in enumerate(places):
        time.sleep(max(0, begin + seconds * k / len(places) - time.monotonic()))
        page.mouse("mouseMoved", *place)
    page.mouse("mouseReleased", *places[-1])
    page.wait(OVER)


def decision(page):
    return page.value("document.querySelector('#bars .wins span').textContent")


def count(page, name):
    return int(page.value(f"document.getElementById('{name}').textContent").replace(",", ""))


def test_a_one_and_an_eight_are_decided_on(page):
    draw(page, ONE, 0.5)
    assert decision(page) == page.value("document.getElementById('decision').textContent") == "1"
    events = count(page, "events")
    assert events > 50 and count(page, "synops") > events
    draw(page, EIGHT)
    assert decision(page) == "8"
    assert page.value("document.querySelectorAll('#layers canvas').length") == 2


def test_keys_draw_too(page):
    page.value("document.getElementById('skin').focus()")
    for key in (" ", *["ArrowDown"] * 6, " "):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key)
        time.sleep(0.03)
    page.wait(OVER)
    assert count(page, "events") > 20
    page.value("document.getElementById('again').click()")
    page.wait("document.getElementById('status').textContent === 'Recording.'")
    page.wait(OVER)
    assert count(page, "events") > 20


def test_a_recording_is_saved_and_loaded(page, tmp_path):
    draw(page, EIGHT)
    before = [decision(page), *(count(page, name) for name in ("events", "packets", "synops"))]
    folder = tmp_path / "saved"
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.value("document.getElementById('save').click()")
    file, end = folder / "eskin-recording.npz", time.monotonic() + 30
    while not file.is_file():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(read_events(file, sensor_size=(10, 10), time_unit="us", repeats="keep")) == before[1]
    draw(page, ONE, 0.5)
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    chosen = page.call("DOM.querySelector", nodeId=root, selector="#load")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=chosen, files=[str(file)])
    page.wait(f"!{OVER}")
    page.wait(OVER)
    after = [decision(page), *(count(page, name) for name in ("events", "packets", "synops"))]
    assert after == before


def test_a_phone_shows_it_whole(page):
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    assert page.value("document.documentElement.scrollWidth") <= 360


def test_a_lost_connection_is_said_and_comes_back(networks, tmp_path):
    told = "document.getElementById('status')?.textContent"
    with contextlib.ExitStack() as first:
        port = first.enter_context(served(networks))
        address = f"http://127.0.0.1:{port}/"
        with chromium.browsing(tmp_path, address) as browser:
            browser.wait(f"{told}.startsWith('Ready')")
            first.close()
            browser.wait(f"{told}.startsWith('The connection to the server is lost')")
            with served(networks, port):
                browser.wait(f"{told}.startsWith('Ready')")
                draw(browser, ONE, 0.5)
                assert decision(browser) == "1"
