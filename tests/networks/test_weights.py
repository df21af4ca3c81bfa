"""Exported weights: a network computed from nothing but the file."""

import numpy as np
import scipy.signal

import nengo_tactile as nt
from tests.support.slayer_networks import case, network_of


def test_a_converted_network_from_its_file_alone(tmp_path):
    """Convolutions by scipy, potentials by a loop: spikes of each layer are the engine's."""
    model = nt.ann.build("9x8x2-4c3-10-3o", seed=1)
    x = np.random.default_rng(0).random((3, 9, 8, 2), dtype=np.float32)
    network = nt.convert(model, x, nt.IF(), n_steps=20)
    network.export_weights(tmp_path / "weights.npz")
    stored = np.load(tmp_path / "weights.npz")
    recording = nt.run(network, x[:1], 20, engine="event")
    names = list(recording.spike_counts)
    kernel = stored[f"{names[0]}/0/weights"]
    maps = [
        sum(
            scipy.signal.correlate2d(x[0, ..., channel], kernel[..., channel, f], "valid")
            for channel in range(2)
        )
        for f in range(4)
    ]
    drive = np.stack(maps, axis=-1).ravel() + stored[f"{names[0]}/bias"]
    potentials = [stored[f"{name}/start"].astype(float) for name in names]
    counts = [np.zeros(len(each)) for each in potentials]
    total = np.zeros(3)
    for _ in range(20):
        arrived = drive
        for k, name in enumerate(names):
            potentials[k] += arrived
            fired = potentials[k] >= stored[f"{name}/threshold"]
            potentials[k] -= fired * stored[f"{name}/threshold"]
            counts[k] += fired
            following = [*names, "output"][k + 1]
            arrived = fired @ stored[f"{following}/0/weights"] + stored[f"{following}/bias"]
        total += arrived
    for name, each in zip(names, counts):
        assert each.sum() > 5
        np.testing.assert_array_equal(recording.spike_counts[name][0], each)
    np.testing.assert_allclose(recording.outputs[0, -1], total / 20, atol=1e-5)


def test_delays_loops_and_decays_are_in_the_file(tmp_path):
    graph, _ = case("cuba-recurrent")
    network = network_of(graph)
    network.export_weights(tmp_path / "weights.npz")
    stored = np.load(tmp_path / "weights.npz")
    hidden, out = graph
    assert str(stored["hidden/1/source"]) == "hidden" and stored["hidden/1/delay"] == 1
    np.testing.assert_array_equal(stored["hidden/1/weights"], hidden.links[1].map.kernel)
    np.testing.assert_array_equal(stored["out/axon"], out.axon)
    assert stored["out/current_decay"] == out.neuron.current_decay
    assert stored["dt"] == network.dt
