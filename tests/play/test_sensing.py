"""Networks of one's own recordings are drawn on: other sensors, maps of taxels."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.errors import DataError
from nengo_tactile.events import EVENT_DTYPE, TactileImage, TaxelMap
from nengo_tactile.play.deciding import Listener
from nengo_tactile.play.drawing import Drawing
from nengo_tactile.play.sensing import View
from nengo_tactile.play.skin import Replay


@pytest.fixture(scope="module")
def events():
    return nt.datasets.ESkin(split="test", n_samples=5)[4][0]


def one_by_one(events, width, height, polarities, cells=None):
    """What another sensor has of the e-skin's events, whose x runs downwards."""
    seen = []
    for x, y, t, p in events[["x", "y", "t", "p"]].tolist():
        cell = int(y * width / 10), int(x * height / 10)
        if (p or polarities == 2) and (cells is None or cell in cells):
            seen.append((*cell, t, p))
    found = np.zeros(len(seen), EVENT_DTYPE)
    for name, column in zip("xytp", zip(*seen)):
        found[name] = column
    return found


@pytest.mark.parametrize("size", [(8, 8, 2), (16, 4, 1), (3, 12, 2)])
def test_the_e_skin_as_another_sensor(size, events):
    np.testing.assert_array_equal(View(size)(events), one_by_one(events, *size))
    skin = TaxelMap(np.arange(3), [(0, 0), (size[0] - 1, 1), (1, size[1] - 1)])
    cells = {tuple(cell) for cell in skin.cells.tolist()}
    seen = View(size, skin)(events)
    np.testing.assert_array_equal(seen, one_by_one(events, *size, cells))
    assert View((10, 10, 2))(events) is events


def test_a_network_of_ones_own_recordings_decides(events):
    image = TactileImage((8, 6, 2), duration_us=2_000_000, normalise="log")
    model = nt.ann.build("6x8-3c3-5o", seed=1)
    x = np.random.default_rng(0).random((32, *image.shape), np.float32)
    network = dataclasses.replace(nt.convert(model, x, nt.IF(), n_steps=12), image=image)
    listener = Listener(network)
    drawing = Drawing(Replay(events, 2e6), listener)
    for until in (5e5, 1e6, 2e6):
        progress = drawing.advance([], until)
    seen = one_by_one(events, 8, 6, 2)
    wanted = nt.run(network, network.encode([seen])[0], engine=listener.engine, progress=False)
    assert progress.whole == wanted.predictions()[0, -1] and progress.n_events == len(events)
    np.testing.assert_array_equal(progress.image.shape, (10, 10))
    other = TaxelMap(np.arange(2), [(0, 0), (3, 3)])
    with pytest.raises(DataError, match=r"reads 8 x 6 cells, the map of taxels has 4 x 4"):
        Listener(network, taxels=other)
