"""Recordings in, a network out: what training by hand makes of the same."""

import dataclasses

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import slayer
from nengo_tactile.errors import DataError

RECIPE = slayer.Recipe(epochs=10, batch_size=10, learning_rate=0.03)


@pytest.fixture(scope="module")
def data():
    return nt.datasets.ESkin(n_samples=30)


def test_it_is_what_training_by_hand_makes(data):
    longest = max(int(data.read_events(i)["t"].max()) for i in range(len(data)))
    bin_us = int(np.ceil((longest + 1) / 100))
    network = slayer.fit("10x10x2-8-10o", data, recipe=RECIPE, max_delay=3, seed=1, progress=False)
    assert network.layout == slayer.SpikeLayout((10, 10, 2), bin_us, 100, late="drop")
    assert network.classes == tuple(data.classes) and network.card["seed"] == 1
    samples = network.layout.batch(data, progress=False)
    model = slayer.build(
        "10x10x2-8-10o", slayer.SpikeResponseModel(5, 5), n_steps=100, max_delay=3, seed=1
    )
    history = slayer.train(model, samples, slayer.SpikemaxSoftmax(), RECIPE, seed=1, progress=False)
    for ours, theirs in zip(network.graph, slayer.stages_of(model), strict=True):
        np.testing.assert_array_equal(ours.links[0].map.kernel, theirs.links[0].map.kernel)
    assert network.card["accuracy in the last epoch of training"] == history.accuracy[-1]
    recording = nt.run(network, data, progress=False)
    assert recording.accuracy(data.targets)[-1] > 0.2


def test_lists_and_what_does_not_fit(data, tmp_path):
    pairs = [data[index] for index in range(10)]
    layout = slayer.SpikeLayout((10, 10, 2), 50_000, 40, late="drop")
    recipe = dataclasses.replace(RECIPE, epochs=1)
    options = {"layout": layout, "recipe": recipe, "progress": False, "max_delay": 0}
    neuron = slayer.CurrentBasedLIF(0.25, 0.0625)
    network = slayer.fit(
        "10x10x2-6-10o", data, neuron=neuron, validation=pairs, checkpoint=tmp_path / "c.npz",
        **options,
    )  # fmt: skip
    assert "loihi" in network.runners and "validation accuracy" in network.card
    with pytest.raises(DataError, match="does not say its sensor's size"):
        slayer.fit("10x10x2-6-10o", pairs, progress=False)
    with pytest.raises(DataError, match="have no labels"):
        slayer.fit("10x10x2-6-10o", [events for events, _ in pairs], **options)
    for notation in ("10x10-6-10o", "10x10x2-6-9o"):
        with pytest.raises(DataError, match=r"recordings are 10x10x2 of 10 classes"):
            slayer.fit(notation, data, **options)
    dataset = nt.datasets.ESkin(n_samples=4)
    dataset.transform = lambda events: events[:0]
    with pytest.raises(DataError, match="no recording has an event"):
        slayer.fit("10x10x2-6-10o", dataset, progress=False)
