"""The page's own logic, in Node.js."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import nengo_tactile

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
FOLDER = Path(nengo_tactile.__file__).parent / "play"


def node(code):
    """What an expression of the page's module gives."""
    text = f"import * as s from {json.dumps((FOLDER / 'strokes.mjs').as_uri())};\n{code}"
    command = [NODE, "--input-type=module", "-e", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.mjs")), ids=lambda path: path.name)
def test_syntax(path):
    subprocess.run([NODE, "--check", path], check=True, timeout=60)


def test_places_pressures_and_bars():
    found = node(
        "console.log(JSON.stringify([s.place(0, 1, 10), s.place(0.5, 0.25, 16),"
        "...[['mouse', 0.9], ['pen', 0.25], ['pen', 0.9], ['touch', 1]]"
        ".map((told) => s.pressureOf(...told)),"
        "s.lengths([-2, 2, 0]), s.lengths([4, 1]), s.lengths([0, 0])]))"
    )
    assert found == [[-0.5, 9.5], [7.5, 3.5], 1, 0.5, 1.8, 1, [0, 1, 0.5], [1, 0.25], [0, 0]]


def test_points_are_taken_once_and_in_order():
    first, second, later, after = node(
        "const k = new s.Stroke(1000); k.add(1000, 1, 2, 1); k.add(1010, 2, 3, 1);"
        "const out = [k.take(1020), k.take(1030)]; k.add(1025, 3, 3, 1);"
        "out.push(k.take(1100)); k.add(1110, 3, 3, 0); out.push(k.take(1120));"
        "console.log(JSON.stringify(out))"
    )
    # a pen on its way is known until its last point
    assert first == {"type": "touch", "until": 10, "points": [[0, 1, 2, 1], [10, 2, 3, 1]]}
    assert second["points"] == [] and second["until"] == 10
    assert later == {"type": "touch", "until": 100, "points": [[25, 3, 3, 1]]}  # it stands still
    assert after == {"type": "touch", "until": 120, "points": [[110, 3, 3, 0]]}  # lifted


def test_the_same_again_at_its_own_pace():
    now, later = node(
        "const k = new s.Stroke(0); for (let t = 0; t < 90; t += 10) k.add(t, t, 0, 1);"
        "const a = k.again(500); console.log(JSON.stringify([a.take(535), a.take(600)]))"
    )
    assert [point[0] for point in now["points"]] == [0, 10, 20, 30]
    assert [point[0] for point in later["points"]] == [40, 50, 60, 70, 80]


def test_many_points_come_in_several_messages():
    sizes = node(
        "const k = new s.Stroke(0); for (let t = 0; t < 1200; t++) k.add(t, 1, 1, 1);"
        "const parts = [1, 2, 3, 4].map(() => k.take(5000));"
        "console.log(JSON.stringify(parts.map((p) => [p.points.length, p.until])))"
    )
    assert sizes == [[500, 499], [500, 999], [200, 5000], [0, 5000]]
