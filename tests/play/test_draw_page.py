"""The page without a server: its network beside the event engine, its skin beside the simulator."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.datasets import read_events
from nengo_tactile.events.crossing_kernel import at_rest, crossings
from nengo_tactile.events.eskin import electronics, felt, taxel_mismatch
from nengo_tactile.events.eskin_table1 import fitted_parameters
from nengo_tactile.play.skin import Pen
from tests.support import chromium, scripts
from tests.support.drawing import EIGHT, ONE, READY, count, decision, draw, saved

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
N_SAMPLES = 12
tool = scripts.load("tools/draw_page.py")


def node(name, code, **values):
    """What code gives that uses a module of the page."""
    text = (
        f"import * as m from {json.dumps((tool.HERE / f'{name}.mjs').as_uri())};\n"
        "import { readFileSync } from 'node:fs';\n"
        "const given = JSON.parse(readFileSync(0, 'utf8'));\n"
        f"{code}"
    )
    command = [NODE, "--input-type=module", "-e", text]
    done = subprocess.run(
        command, input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def network():
    return tool.network()


@pytest.fixture(scope="module")
def samples():
    return [nt.datasets.ESkin(split="test")[k][0] for k in range(N_SAMPLES)]


@needs_node
def test_every_spike_is_the_event_engines(network, samples):
    x, _ = network.encode(samples)
    recording = nt.run(network, x, tool.STEPS, engine="event", rasters=N_SAMPLES)
    found = node(
        "network",
        "const all = given.x.map((x) => new m.Network(given.told.network).run("
        "Float32Array.from(x), given.told.steps)); console.log(JSON.stringify(all));",
        told=tool.told(network),
        x=x.reshape(N_SAMPLES, -1).tolist(),
    )
    names = [stage.name for stage in network.graph if stage.spikes]
    for k, one in enumerate(found):
        for name, steps in zip(names, one["spikes"], strict=True):
            wanted = [np.flatnonzero(step).tolist() for step in recording.rasters[name][k]]
            assert steps == wanted and sum(map(len, steps)) > 100
        np.testing.assert_array_equal(np.array(one["outputs"], np.float32), recording.outputs[k])
        assert one["synops"] == sum(int(n[k]) for n in recording.synops.values())


@needs_node
def test_a_recording_is_decided_on_while_it_is_made(network, samples):
    """Image by image with kept state, as `nt.start` does it, and in the end as a whole."""
    events = samples[8]
    state, parts = nt.start(network, "event"), []
    for end in range(50_000, 2_000_001, 50_000):
        x, _ = network.encode([events[events["t"] < end]])
        parts.append(state.step(x, tool.STEPS))
    found = node(
        "desk",
        "const d = new m.Decider(given.told), all = given.events;"
        "const chunks = [16000, 120000, 999000, 2e6].flatMap((t) => d.advance(all, t));"
        "console.log(JSON.stringify([chunks, d.whole(all)]));",
        told=tool.told(network),
        events=np.stack([events[name] for name in "txyp"], 1).tolist(),
    )
    chunks, whole = found
    assert [chunk["t"] for chunk in chunks] == list(range(50, 2001, 50))
    for chunk, part in zip(chunks, parts, strict=True):
        np.testing.assert_array_equal(np.float32(chunk["outputs"]), part.outputs[0, -1])
        assert chunk["packets"] == sum(counts.sum() for counts in part.spike_counts.values())
        for name, maps in chunk["layers"].items():
            spikes = part.spike_counts[name][0].reshape(len(maps), -1).sum(axis=1)
            assert maps == spikes.tolist()
        assert chunk["margin"] == pytest.approx(part.read_out.margin(part.outputs)[0, -1], abs=1e-6)
    wanted = nt.run(network, [events], tool.STEPS, engine="event")
    np.testing.assert_array_equal(np.float32(whole["outputs"]), wanted.outputs[0, -1])
    assert whole["winner"] == wanted.predictions()[0, -1]


class Fixed:
    """What is drawn at random, always the same."""

    def random(self):
        return 0.25

    def standard_normal(self):
        return 0.7

    def uniform(self, least, most):
        return least + 0.25 * (most - least)


@needs_node
def test_taxels_feel_what_they_do_in_the_simulator():
    """The simulator's own loop, not compiled, with the same random numbers."""
    p, points = fitted_parameters(), []
    for t in range(0, 400, 16):
        points.append([t * 1e3, 2.0 + t / 80, 1.0 + t / 60, 1.0 + t / 1000])
    points += [[401_000, 7.0, 7.6, 0.0], [500_000, 3.0, 3.0, 0.8], [550_000, 5.0, 3.0, 0.0]]
    pen = Pen(p, Fixed())
    row, column, force = pen.move(np.array(points), 600_000)
    gain, factors = taxel_mismatch(p)
    rule = electronics(p)
    time_s, taxels, rises = crossings(
        Fixed(), felt(p, row, column, force, gain), at_rest(np.zeros(100)), p.step_us * 1e-6,
        rule.activation, rule.floor, True, rule.vibration, 0.0, factors.ravel() * rule.threshold,
        0.0, rule.refractory_us * 1e-6, rule.delay_us * 1e-6, False,
    )  # fmt: skip
    found = node(
        "skin",
        "const { parameters, gain, factors } = given.skin;"
        "const chance = { random: () => 0.25, normal: () => 0.7 };"
        "const pen = new m.Pen(parameters, chance);"
        "const steps = [...pen.move(given.points.slice(0, 9), given.points[8][0]),"
        " ...pen.move(given.points.slice(9), 600000)];"
        "const taxels = new m.Taxels(parameters, gain, factors, chance);"
        "console.log(JSON.stringify([steps, [...taxels.feel(steps.slice(0, 333)),"
        " ...taxels.feel(steps.slice(333))]]));",
        skin={
            "parameters": {**p.to_dict(), "tip_mm": tool.TIP_DIAMETER_MM},
            "gain": gain.ravel().tolist(),
            "factors": factors.ravel().tolist(),
        },
        points=points,
    )
    steps, messages = found
    np.testing.assert_allclose(np.array(steps).T, [row, column, force], rtol=1e-12, atol=1e-12)
    assert len(messages) == len(time_s) > 200
    np.testing.assert_array_equal([k for _, k, _ in messages], taxels)
    np.testing.assert_array_equal([rise for *_, rise in messages], rises)
    np.testing.assert_allclose([t for t, *_ in messages], time_s, rtol=1e-12)


@needs_node
def test_noise_and_dead_taxels():
    sent, dead, first = node(
        "skin",
        "const make = (noise, dead) => new m.Skin(given.skin, 2e6, { noise, dead });"
        "const still = make(20, 0), few = make(20, 0.4);"
        "const events = few.advance([], 2e6);"
        "console.log(JSON.stringify([still.advance([], 2e6).length, few.dead, events]));",
        skin={
            "parameters": {**fitted_parameters().to_dict(), "tip_mm": 0.5, "on_repeats": 1,
                           "off_repeats": 1, "repeats_spread": 0},
            "gain": [1.0] * 100,
            "factors": [1.0] * 100,
        },
    )  # fmt: skip
    assert abs(sent - 4000) < 6 * np.sqrt(4000)  # Poisson
    assert sum(dead) == 40
    seen = {10 * row + column for _, row, column, _ in first}
    assert seen == {k for k in range(100) if not dead[k]}
    assert [t for t, *_ in first] == sorted(t for t, *_ in first)


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<i4")


def test_the_committed_page_is_what_the_tool_makes(network):
    """Weights apart, which may be a unit off where another machine converts the network."""
    text, data = tool.FILE.read_text("utf-8"), tool.told(network)
    there = json.loads(re.search(r'id="told">(.*?)</script>', text)[1])
    for layer, wanted in zip(there["network"]["layers"], data["network"]["layers"], strict=True):
        for name in ("weights", "bias", "start", "fanOut"):
            one, other = (numbers(each[name]) for each in (layer, wanted))
            assert np.abs(one - other).max(initial=0) <= 1
            layer[name] = wanted[name]
    assert there == json.loads(json.dumps(data))
    assert text.replace(re.search(r'id="told">(.*?)</script>', text)[1], "") == tool.page(
        data
    ).replace(json.dumps(data).replace("<", "\\u003c"), "")
    assert not re.search(r"https?://|@import|url\(", text)


@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
def test_an_eight_and_a_one_in_a_browser(tmp_path):
    with chromium.browsing(tmp_path, tool.FILE.as_uri()) as page:
        page.wait(READY)
        draw(page, EIGHT)
        assert decision(page) == "8"
        file = saved(page, ".csv", tmp_path / "saved")
        events = read_events(file, sensor_size=(10, 10), time_unit="us", repeats="keep")
        assert len(events) == count(page, "events") > 200
        draw(page, ONE, 0.5)
        assert decision(page) == "1"
        assert not page.complaints
