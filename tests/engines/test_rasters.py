"""Rasters: every spike of the first samples, on every engine; all else is as without them."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.ann.notation import build
from nengo_tactile.errors import DataError, EngineError
from tests.support import step_loop
from tests.support.skim_networks import small_network
from tests.support.slayer_networks import case, network_of
from tests.support.stage_graphs import everything, graded, images

N_STEPS = 12


def converted(neuron):
    model = build("6x6x2-3c3-7-3o", seed=3)
    x = np.random.default_rng(0).random((5, 6, 6, 2), np.float32)
    return nt.convert(model, x, neuron, n_steps=N_STEPS), x


def check(recording, plain, n):
    """Sums over steps and over neurons are the counts that the recording has, and has without."""
    for name, counts in plain.spike_counts.items():
        np.testing.assert_array_equal(recording.spike_counts[name], counts)
        raster = recording.rasters[name]
        assert raster.shape == (n, plain.n_steps, counts.shape[1])
        np.testing.assert_array_equal(raster.sum(axis=1), counts[:n])
        np.testing.assert_array_equal(raster.sum(axis=2), plain.spikes_over_time[name][:n])
    np.testing.assert_allclose(recording.outputs, plain.outputs, atol=1e-6)
    assert plain.rasters == {}


@pytest.mark.parametrize(
    ("neuron", "engine"),
    [
        (nt.IF(), "event"),
        (nt.IF(), "nengo-dl"),
        (nt.IF(), "loihi"),
        (nt.IF(signed=True, spikes_per_step=3), "event"),
        (nt.IF(signed=True, spikes_per_step=3), "nengo-dl"),
        (nt.LIF(), "nengo-dl"),
        (nt.SigmaDelta(threshold=0.2), "event"),
        (nt.SigmaDelta(threshold=0.2, coding="current"), "event"),
    ],
)
def test_converted(neuron, engine):
    network, x = converted(neuron)
    options = {"least_agreement": 0, "rate": 1} if engine == "loihi" else {"batch_size": 3}
    plain = nt.run(network, x, engine=engine, **options)
    check(nt.run(network, x, engine=engine, rasters=4, **options), plain, 4)
    check(nt.run(network, x, engine=engine, rasters=99, **options), plain, 5)


def test_each_spike_is_where_a_loop_has_it():
    (network, _, _), x = everything(graded), images()
    recording = nt.run(network, x, N_STEPS, engine="event", rasters=2)
    sent = step_loop.shown(network.graph, x[:2], N_STEPS)
    assert recording.rasters.keys() == recording.spike_counts.keys()
    for name, raster in recording.rasters.items():
        np.testing.assert_array_equal(raster, sent[name] != 0)


@pytest.mark.parametrize("engine", ["event", "nengo-dl", "nengo"])
def test_what_reads_spikes_has_those_of_the_input_too(engine):
    graph, x = case("srm-delays", n_samples=3)
    recording = nt.run(network_of(graph), x, engine=engine, batch_size=2, rasters=2)
    sent = step_loop.run(graph, x[:2])
    assert list(recording.rasters) == ["input", *(stage.name for stage in graph)]
    for name, raster in recording.rasters.items():
        np.testing.assert_array_equal(raster, sent[name] != 0)


def test_spikes_on_the_chip_are_late_by_a_step_for_each_layer():
    graph, x = case("cuba-dense", n_samples=3)
    network = network_of(graph)
    plain = nt.run(network, x, engine="loihi")
    check(nt.run(network, x, engine="loihi", rasters=2, batch_size=1), plain, 2)


def test_skim():
    network = small_network("lif")
    x = np.random.default_rng(0).random((3, *network.input_shape)) < 0.2
    plain = nt.run(network, x, batch_size=2)
    check(nt.run(network, x, batch_size=2, rasters=1), plain, 1)


def test_what_is_no_count_is_refused():
    network, x = converted(nt.IF())
    with pytest.raises(EngineError, match=r"rasters is -1: give a whole number"):
        nt.run(network, x, rasters=-1)
    with pytest.raises(DataError, match=r"a recording of .* fewer samples or steps"):
        nt.run(network, np.broadcast_to(x[:1], (10**9, *x.shape[1:])), rasters=10**9)
