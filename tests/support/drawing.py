"""Hands on a page's skin, in a browser, and what the page says of it."""

import math
import time

#: Ways over the skin, in shares of its width and height from its middle.
ONE = [(0, -0.35 + 0.7 * k / 24) for k in range(25)]
TURN = [math.tau * k / 48 for k in range(49)]
EIGHT = [(0.2 * math.sin(2 * angle), -0.35 * math.cos(angle)) for angle in TURN]
STATUS = "document.getElementById('status')?.textContent"
READY = f"{STATUS}.startsWith('Ready')"
OVER = f"{STATUS}.startsWith('The recording is over')"


def draw(page, way, seconds=0.8):
    """Draw with the mouse, and wait until the recording is over."""
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
    """The class of the whole recording: of a busy machine's stroke another may win meanwhile."""
    return page.value("document.getElementById('decision').textContent").rpartition(" ")[2]


def winner(page):
    """The class whose bar wins."""
    return page.value("document.querySelector('#bars .wins span').textContent")


def count(page, name):
    """One of the counters."""
    return int(page.value(f"document.getElementById('{name}').textContent").replace(",", ""))


def saved(page, ending, folder):
    """Press a button to save, and wait for the file."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.value(f"document.querySelector('[data-ending=\"{ending}\"]').click()")
    file, end = folder / f"skin-recording{ending}", time.monotonic() + 30
    while not file.is_file():
        assert time.monotonic() < end
        time.sleep(0.05)
    return file
