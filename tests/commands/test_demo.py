"""The demo, cut down: it leaves a network, numbers and a page that agree."""

import json

import pytest

import nengo_tactile as nt
from nengo_tactile.commands import demo as module
from nengo_tactile.commands.tasks import images, open_task, task_named


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(module, "N_TRAIN", 300)
    monkeypatch.setattr(module, "N_TEST", 40)
    monkeypatch.setattr(module, "RECIPE", module.training.Recipe(epochs=15, batch_size=32))


def test_demo(small, tmp_path):
    lines = []
    numbers = module.demo(tmp_path, progress=False, say=lines.append)
    assert len(lines) == 5
    assert json.loads((tmp_path / "results.json").read_text())["n_test"] == 40
    page = (tmp_path / "report.html").read_text()
    for words in ("What the sensor sends", "Accuracy over time", "On the chip"):
        assert words in page
    # the saved network repeats the run
    network = nt.load(tmp_path / "model")
    task = task_named("eskin")
    x, y = images(task, open_task(task, "test"), range(10), progress=False)
    encoded, labels = network.encode(open_task(task, "test", n_samples=10))
    assert (encoded == x).all()
    assert (labels == y).all()
    recording = nt.run(network, x, progress=False)
    assert recording.outputs.shape == (10, network.n_steps, 10)
    assert numbers["cnn_accuracy"] > 0.2  # 10 classes: training did something
