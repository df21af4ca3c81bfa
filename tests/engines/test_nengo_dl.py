"""The NengoDL engine against Nengo's reference simulator and brute-force loops."""

import itertools

import numpy as np
import pytest

from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.engines import run
from nengo_tactile.engines.batches import LARGEST_BATCH, batch_size_for
from nengo_tactile.engines.recording import read_out
from nengo_tactile.errors import DataError, EngineError
from tests.support.engine_networks import BAD_INPUTS, N_STEPS, make_network, run_reference

pytestmark = pytest.mark.stack

NETWORKS = {
    "slow LIF": {},
    "LIF with refractory time": {"neuron": LIF(tau_rc=0.02, tau_ref=0.002, offset=0)},
    "padded": {"padding": "same"},
    "without synapse": {"synapse": None},
    "voltage floor and start at zero": {"min_voltage": 0.0, "initial_voltage": 0.0},
    "dense": {"notation": "9-8-7-4o"},
}


def brute_force_read_out(potentials):
    outputs = np.zeros_like(potentials)
    for sample in range(potentials.shape[0]):
        for step in range(potentials.shape[1]):
            first = (step + 1) // 2
            outputs[sample, step] = potentials[sample, first : step + 1].mean(axis=0)
    return outputs


def brute_force_fan_out(stage):
    """Count every pair of input and output that a weight joins."""
    (link,) = stage.links
    if link.map.dense:
        return np.full(link.map.n_in, stage.n_neurons)
    conv = link.map
    count = np.zeros(conv.input_shape, int)
    rows, columns = conv.kernel.shape[:2]
    height, width = conv.input_shape[:2]
    out_height, out_width, filters = conv.output_shape
    step = conv.strides
    top = left = 0
    if out_height * step[0] >= height:  # "same" by TensorFlow's rule: the odd pixel goes below
        top = max((out_height - 1) * step[0] + rows - height, 0) // 2
        left = max((out_width - 1) * step[1] + columns - width, 0) // 2
    for y in range(out_height):
        for x in range(out_width):
            for dy in range(rows):
                for dx in range(columns):
                    iy, ix = y * step[0] + dy - top, x * step[1] + dx - left
                    if 0 <= iy < height and 0 <= ix < width:
                        count[iy, ix] += filters
    return count.ravel()


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_reference_simulator_spike_by_spike(name):
    network, x = make_network(**NETWORKS[name])
    recording = run(network, x[:3], N_STEPS)
    potentials, spikes = run_reference(network, x[:3], N_STEPS)

    difference = np.abs(recording.outputs - brute_force_read_out(potentials))
    # float32 against float64: now and then a spike falls into the next step, and which does so
    # depends on the processor; up to there a sample is the same
    moved = [recording.spikes_over_time[layer] != spikes[layer].sum(2) for layer in spikes]
    before = ~np.maximum.accumulate(np.any(moved, axis=0), axis=1)
    same = before.all(axis=1)
    assert same.sum() >= 2
    assert difference[before].max() < 1e-5 * np.abs(potentials).max()
    for index, layer in enumerate(network.spiking_layers):
        fired = spikes[layer]
        assert fired.sum() > 20, "a silent layer would prove nothing"
        counts = recording.spike_counts[layer]
        np.testing.assert_array_equal(counts[same], fired[same].sum(axis=1))
        assert np.abs(counts - fired.sum(axis=1)).sum() <= 2e-2 * fired.sum()
        synops = fired @ brute_force_fan_out(network.graph.stages[index + 1])
        np.testing.assert_array_equal(recording.synops_over_time[layer][before], synops[before])
        assert (recording.synops[layer] == recording.synops_over_time[layer].sum(axis=1)).all()


@pytest.mark.parametrize("options", [{"padding": "same"}, {"padding": "valid"}])
@pytest.mark.parametrize("notation", ["5x6x2-3c3-2o", "7x5-2c4s3-3o", "6x6-3c5-2c2s2-2o"])
def test_fan_out_counts_every_edge(notation, options):
    network, _ = make_network(notation, **options)
    fan_out = network.fan_out()
    for stage, following in itertools.pairwise(network.graph):
        np.testing.assert_array_equal(fan_out[stage.name], brute_force_fan_out(following))


@pytest.mark.parametrize("batch_size", [1, 3, 11])
def test_minibatches_do_not_matter(small, batch_size):
    # 3 leaves a minibatch of 2 at the end, 11 one that is never full
    network, x = small
    whole = run(network, x, N_STEPS)
    parts = run(network, x, N_STEPS, batch_size=batch_size)
    assert parts.n_samples == len(x)
    np.testing.assert_allclose(parts.outputs, whole.outputs, atol=1e-5)
    for layer in network.spiking_layers:
        np.testing.assert_array_equal(parts.spike_counts[layer], whole.spike_counts[layer])
        np.testing.assert_array_equal(parts.synops_over_time[layer], whole.synops_over_time[layer])


def test_a_sample_leaves_nothing_for_the_next(small):
    network, x = small
    alone = run(network, x[2:3], N_STEPS, batch_size=1)
    after = run(network, x[:3], N_STEPS, batch_size=1)
    np.testing.assert_array_equal(after.outputs[2], alone.outputs[0])


def test_planners_give_the_same(small):
    network, x = small
    noop, default = (run(network, x[:2], N_STEPS, planner=p) for p in ("noop", "default"))
    np.testing.assert_allclose(noop.outputs, default.outputs, atol=1e-4)
    for layer in network.spiking_layers:
        np.testing.assert_array_equal(noop.spike_counts[layer], default.spike_counts[layer])


def test_minibatches_are_bounded_and_equal():
    for n_samples in (1, 2, 63, 64, 65, 200, 1000, 1001):
        size = batch_size_for(n_samples)
        assert 1 <= size <= LARGEST_BATCH
        unused = -(-n_samples // size) * size - n_samples
        assert unused < -(-n_samples // LARGEST_BATCH)


def test_read_out_is_the_mean_over_the_second_half(rng):
    potentials = rng.normal(size=(2, 17, 3))
    np.testing.assert_allclose(read_out(potentials), brute_force_read_out(potentials), atol=1e-6)
    np.testing.assert_allclose(read_out(potentials[:, :1]), potentials[:, :1], atol=1e-6)


def test_rates_approach_the_keras_model():
    network, x = make_network("4x4-3c2-3o", rate=100.0)
    outputs = run(network, x, 400).outputs[:, -1]
    wanted = network.ann(x).numpy()
    assert np.corrcoef(outputs.ravel(), wanted.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("change", "message"), BAD_INPUTS)
def test_bad_input_is_refused(small, change, message):
    network, x = small
    with pytest.raises(DataError, match=message):
        run(network, change(x), N_STEPS)


@pytest.mark.parametrize("n_steps", [0, -3, 2.5])
def test_bad_numbers_of_steps_are_refused(small, n_steps):
    network, x = small
    with pytest.raises(EngineError, match="whole number"):
        run(network, x, n_steps)


@pytest.mark.parametrize("options", [{"planner": "greedy"}, {"batch_size": 0}])
def test_bad_options_are_refused(small, options):
    network, x = small
    with pytest.raises(EngineError, match=f"{next(iter(options))} is"):
        run(network, x, N_STEPS, **options)


def test_unknown_engine_is_refused(small):
    network, x = small
    with pytest.raises(EngineError, match="unknown: use 'nengo-dl'"):
        run(network, x, engine="brian")


def test_one_step_runs_without_warning(small):
    network, x = small
    assert run(network, x[:2], 1).outputs.shape == (2, 1, 3)
