"""What can be explored: data as they are told to the page, and the page in a browser."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from nengo_tactile.analysis import plots
from nengo_tactile.analysis.style import BLUE, png
from nengo_tactile.errors import DataError
from nengo_tactile.report import (
    Explorer,
    Picture,
    Readings,
    Report,
    Sample,
    Section,
    Table,
    write_report,
)
from nengo_tactile.report.exploring import MOST_PIXELS, MOST_VALUES
from tests.support import chromium

CLASSES = ("left", "</script>", "[/x]")


def sample(rng, number=0, n_steps=7, label=1, side=4, n_frames=1):
    outputs = rng.normal(0, 3, (n_steps, len(CLASSES)))
    spikes = {"conv": rng.integers(0, 2000, n_steps), "<b>": rng.integers(0, 9, n_steps)}
    frames = rng.random((n_frames, side, side))
    return Sample(number, label, outputs.argmax(axis=1), outputs, spikes, frames)


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_samples_are_told_as_they_were(rng):
    one = sample(rng, 5)
    told = Explorer(CLASSES, [one], 0.002).to_dict()
    assert told["classes"] == list(CLASSES) and told["dt_ms"] == 2
    (found,) = told["samples"]
    assert (found["number"], found["label"]) == (5, 1)
    assert found["winners"] == one.winners.tolist()
    assert found["spikes"]["conv"] == [sum(one.spikes["conv"][: t + 1]) for t in range(7)]
    outputs = found["outputs"]
    values = outputs["least"] + decoded(outputs["shares"], "<u2") / 65535 * outputs["span"]
    np.testing.assert_allclose(values, one.outputs.ravel(), atol=outputs["span"] / 65535)
    assert found["frames"]["shape"] == [1, 4, 4]
    pixels = decoded(found["frames"]["pixels"], "u1")
    np.testing.assert_allclose(pixels / 255, one.frames.ravel(), atol=0.5 / 255 + 1e-9)


def test_outputs_that_never_change(rng):
    one = Sample(0, 0, np.zeros(3, int), np.full((3, 3), 2.5), {})
    (found,) = Explorer(CLASSES, [one], 0.001).to_dict()["samples"]
    assert found["outputs"]["least"] == 2.5 and found["frames"] is None
    assert not decoded(found["outputs"]["shares"], "<u2").any()


@pytest.mark.parametrize(
    ("size", "each", "most"),
    [
        ({"n_steps": MOST_VALUES // 20}, 5 * MOST_VALUES // 20, MOST_VALUES),
        ({"side": 300, "n_frames": 3}, 270_000, MOST_PIXELS),
    ],
)
def test_a_page_is_bounded(rng, size, each, most):
    """Samples that do not fit are left out, but for the first."""
    samples = [sample(rng, k, **size) for k in range(most // each + 3)]
    told = Explorer(CLASSES, samples, 0.001).to_dict()["samples"]
    assert [one["number"] for one in told] == list(range(most // each))
    alone = Explorer(CLASSES, [sample(rng, n_steps=MOST_VALUES)], 0.001).to_dict()
    assert len(alone["samples"]) == 1


def test_refusals(rng):
    with pytest.raises(DataError, match="no samples"):
        Explorer(CLASSES, [], 0.001).to_dict()
    with pytest.raises(DataError, match=r"outputs of shape \(7, 3\) and 7 winners for 2 classes"):
        Explorer(CLASSES[:2], [sample(rng)], 0.001).to_dict()


def test_readings_lie_where_the_curve_is_drawn():
    curve = [0.2, 0.2, 0.2] + [0.5] * 27  # the ring where it is settled is not at an end
    figure = plots.accuracy_over_time({"curve": curve})
    readings = Readings.of(figure, {"curve": curve})
    picture = np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"), int)
    height, width = picture.shape[:2]
    blue = np.abs(picture - ImageColor.getrgb(BLUE)).sum(axis=2) < 30
    rows = slice(round(readings.top * height), round(readings.bottom * height))
    columns = np.flatnonzero(blue[rows].any(axis=0))
    for place, found in ((readings.left, columns[0]), (readings.right, columns[-1])):
        assert abs(place * width - found) < 5
    lines = np.flatnonzero(blue[:, round(0.5 * width)])
    middle = (readings.top + readings.bottom) / 2 * height
    assert abs(lines[lines < readings.bottom * height].mean() - middle) < 8
    assert readings.to_dict()["curves"] == {"curve": curve}
    gap = Readings(0, 1, 0, 1, {"gap": [0.5, float("nan")]}).to_dict()
    assert gap["curves"] == {"gap": [0.5, None]}


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(3)
    return [sample(rng, 10 * k, label=k % 3, n_frames=3) for k in range(4)]


@pytest.fixture
def page(samples, tmp_path):
    if chromium.PROGRAM is None:
        pytest.skip("Chromium is not installed")
    curves = {"event": [0.25, 0.5, 0.75], "short": [0.125]}
    figure = plots.accuracy_over_time(curves)
    rows = [("a", 1200, "45.2%"), ("b", None, "9.7%"), ("c", 30, "13%"), ("a10", 4, "100%")]
    write_report(
        tmp_path / "report.html",
        Report(
            "Explored",
            sections=[
                Section("Curves", "", [Picture(figure, "c", "a", Readings.of(figure, curves))]),
                Section("Table", "", [Table(["name", "number", "share"], rows)]),
                Section("Samples", "", [Explorer(CLASSES, samples, 0.002)], scripted=True),
            ],
        ),
    )
    with chromium.browsing(tmp_path / "browser", (tmp_path / "report.html").as_uri()) as browser:
        browser.wait("document.readyState === 'complete' && document.images.length === 1")
        yield browser
        # pixels are read back here, which canvases are not made for
        wrong = [c for c in browser.complaints if c.get("entry", {}).get("source") != "rendering"]
        assert not wrong


def slide(page, selector, value):
    page.value(
        f"(() => {{ const s = document.querySelector({selector!r}); s.value = {value};"
        "s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); })()"
    )


def texts(page, selector):
    return page.value(
        f"[...document.querySelectorAll({selector!r})].map((each) => each.textContent)"
    )


def test_a_report_is_explored(page, samples):
    slide(page, ".readings input", 1)
    assert texts(page, ".readings output") == ["step 1: event 25.0 %; short 12.5 %"]
    box = page.value("document.querySelector('.frame').getBoundingClientRect().toJSON()")
    x = box["x"] + box["width"] * page.value(
        "JSON.parse(document.querySelector('.readings script').textContent).right"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=box["y"] + 20)
    assert texts(page, ".readings output") == ["step 3: event 75.0 %"]

    orders = []
    for column in (1, 1, 2, 2, 0):
        page.value(f"document.querySelectorAll('button.sort')[{column}].click()")
        orders.append("".join(name[-1] for name in texts(page, "tbody th")[:4]))
    assert orders == ["ac0b", "0cab", "bca0", "0acb", "a0bc"]  # nothing comes last; a10 behind a
    assert page.value("document.querySelector('thead th').ariaSort") == "ascending"

    options = texts(page, ".explorer option")
    assert len(options) == 4
    groups = page.value(
        "[...document.querySelectorAll('optgroup')].map((g) => [g.label, g.children.length])"
    )
    wrong = sum(int(each.winners[-1] != each.label) for each in samples)
    assert groups == [list(g) for g in (("Wrong", wrong), ("Right", 4 - wrong)) if g[1]]
    for k, one in enumerate(samples):
        slide(page, ".explorer select", k)
        for step in (1, 4, 7):
            slide(page, ".explorer input", step)
            winner = one.winners[step - 1]
            told = "right" if winner == one.label else f"wrong, it is {CLASSES[one.label]}"
            assert texts(page, ".winner") == [f"{CLASSES[winner]}: {told}"]
            assert texts(page, ".wins > span:first-child") == [CLASSES[winner]]
            counted = [f"{sum(n[:step]):,}" for n in one.spikes.values()]
            assert texts(page, ".explorer tbody td:nth-child(2)") == counted
            values = [float(text) for text in texts(page, ".bars .value")]
            np.testing.assert_allclose(values, one.outputs[step - 1], rtol=6e-3, atol=1e-3)
            shade = page.value(
                "Array.from(document.querySelector('.explorer canvas').getContext('2d')"
                ".getImageData(0, 0, 4, 4).data).filter((_, i) => i % 4 === 0)"
            )
            frame = one.frames[(step - 1) * 3 // 7].ravel()
            np.testing.assert_allclose(shade, 245 * (1 - frame), atol=2)
    assert texts(page, ".explorer .choices > output") == ["7 of 7 (14 ms)"]
    assert page.value("document.querySelectorAll('.scripted[hidden]').length") == 0
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1,
              mobile=True)  # fmt: skip
    assert page.value("document.documentElement.scrollWidth") <= 360


def test_without_scripts_it_reads_as_before(page):
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.reload")
    page.wait("document.querySelectorAll('.scripted[hidden]').length === 2")
    assert "Samples" not in page.value("document.body.innerText")
    assert page.value("document.querySelectorAll('button, input, select').length") == 0
    assert page.value("document.querySelector('img').getBoundingClientRect().height") > 100
