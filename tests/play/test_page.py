"""The page in a browser."""

import contextlib
import time

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra [play] is not installed")
pytest.importorskip("starlette", reason="the extra [play] is not installed")
pytest.importorskip("websockets", reason="the extra [play] is not installed")

import nengo_tactile as nt
from nengo_tactile.datasets import read_events, read_spiketrain
from nengo_tactile.play.files import Collection
from nengo_tactile.play.messages import Choice
from nengo_tactile.play.networks import Networks
from tests.support import chromium
from tests.support.drawing import (
    EIGHT,
    ONE,
    OVER,
    READY,
    STATUS,
    count,
    decision,
    draw,
    saved,
    winner,
)
from tests.support.play_pages import served

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def networks():
    return Networks(Choice("eskin-cnn"))


@pytest.fixture
def page(networks, tmp_path):
    with (
        served(networks, collection=Collection(tmp_path / "mine")) as port,
        chromium.browsing(tmp_path, f"http://127.0.0.1:{port}/") as browser,
    ):
        browser.wait(READY)
        yield browser
        assert not browser.complaints


def test_a_one_and_an_eight_are_decided_on(page):
    draw(page, ONE, 0.5)
    assert decision(page) == winner(page) == "1"
    events = count(page, "events")
    assert events > 50 and count(page, "synops") > events
    draw(page, EIGHT)
    assert decision(page) == "8"
    assert page.value("document.querySelectorAll('#layers canvas').length") == 2


def test_keys_draw_too(page):
    page.value("document.getElementById('skin').focus()")
    for key in ("ArrowUp", " ", *["ArrowDown"] * 6, " "):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key)
        time.sleep(0.03)
    assert page.value("document.getElementById('pen').textContent") == (
        "Pen up at row 8, column 5.5."
    )
    page.wait(OVER)
    assert count(page, "events") > 20
    page.value("document.getElementById('again').click()")
    page.wait("document.getElementById('status').textContent === 'Recording.'")
    page.wait(OVER)
    assert count(page, "events") > 20


def told(page):
    return [winner(page), *(count(page, name) for name in ("events", "packets", "synops"))]


def load(page, file):
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    chosen = page.call("DOM.querySelector", nodeId=root, selector="#load")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=chosen, files=[str(file)])
    page.wait(f"!{OVER}")
    page.wait(OVER)


def test_a_recording_is_saved_kept_and_loaded(page, tmp_path):
    draw(page, EIGHT)
    before = told(page)
    npz, mat = (saved(page, ending, tmp_path / "saved") for ending in (".npz", ".mat"))
    columns = {"sensor_size": (10, 10), "time_unit": "us", "repeats": "keep"}
    events = read_events(npz, **columns)
    assert len(events) == before[1]
    np.testing.assert_array_equal(read_spiketrain(mat), events)
    page.value("document.getElementById('label').value = '8'")
    page.value("document.getElementById('keep').click()")
    page.wait(f"{STATUS} === 'Kept as 8/0000.npz: 1 of 8.'")
    np.testing.assert_array_equal(nt.datasets.Recordings(tmp_path / "mine")[0][0], events)
    draw(page, ONE, 0.5)
    load(page, mat)
    assert told(page) == before


def test_another_network_is_prepared_before_it_is_drawn_for(page):
    choose = "for (const [id, value] of [['neuron', 'if'], ['steps', 20]]) {"
    choose += " document.getElementById(id).value = value; }"
    page.value(f"{choose} document.getElementById('steps').dispatchEvent(new Event('change'))")
    page.wait("document.getElementById('about').textContent.includes('engine: event')")
    draw(page, ONE, 0.5)
    assert decision(page) == "1"
    page.value("document.getElementById('network').value = 'eskin-slayer'")
    page.value("document.getElementById('network').dispatchEvent(new Event('change'))")
    page.wait(f"{STATUS}.includes('leave neuron out')")


def test_all_that_can_be_used_has_a_name(page):
    """As a screen reader is told it."""
    roles = "application", "button", "combobox", "spinbutton", "textbox", "image"
    names = {}
    for node in page.call("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if not node["ignored"] and role in roles:
            names.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert [len(names[role]) for role in ("combobox", "spinbutton", "textbox")] == [4, 4, 1]
    buttons = "Draw that again", "Save as .npz", "Save as .mat", "Play it", "Keep this recording"
    assert set(buttons) <= set(names["button"])
    assert names["application"] == ["Skin of 10 by 10 taxels to draw on"]
    assert len(names["image"]) == 5
    assert all(name for found in names.values() for name in found)


def test_a_phone_shows_it_whole(page):
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    assert page.value("document.documentElement.scrollWidth") <= 360


def test_a_lost_connection_is_said_and_comes_back(networks, tmp_path):
    with contextlib.ExitStack() as first:
        port = first.enter_context(served(networks))
        address = f"http://127.0.0.1:{port}/"
        with chromium.browsing(tmp_path, address) as browser:
            browser.wait(READY)
            draw(browser, ONE, 0.5)
            first.close()
            browser.wait(f"{STATUS}.startsWith('The connection to the server is lost')")
            with served(networks, port):
                browser.wait(READY)
                browser.value("document.getElementById('again').click()")  # what was drawn is there
                browser.wait(OVER)
                assert decision(browser) == "1"
