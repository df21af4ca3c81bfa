"""The Loihi engine against an integer simulation in plain Python, Nengo and closed forms."""

import json
import math
import warnings

import numpy as np
import pytest
from conftest import make_network

from nengo_tactile import stack
from nengo_tactile.engines import loihi, placement, run
from nengo_tactile.engines.loihi import ChipReport, chip_report
from nengo_tactile.errors import EngineError

N_STEPS = 40


@pytest.fixture
def own_deliveries(monkeypatch):
    """Let nengo-loihi deliver spikes itself, one by one."""
    monkeypatch.setattr(loihi, "deliver_at_once", lambda emulator: None)


def same(one, other):
    """Whether two recordings hold the same numbers."""
    np.testing.assert_array_equal(one.outputs, other.outputs)
    for kind in ("spike_counts", "spikes_over_time", "synops_over_time"):
        ours, wanted = getattr(one, kind), getattr(other, kind)
        assert ours.keys() == wanted.keys()
        for layer in wanted:
            np.testing.assert_array_equal(ours[layer], wanted[layer])


def plain_python_lif(block, arriving):
    """Loihi's neurons, one integer at a time.

    Davies et al. 2018 and Intel's description as nengo-loihi's documentation has them: decays
    of 12 bits that round towards zero, a threshold that must be exceeded, reset to zero.
    ``arriving`` is a (n_steps, n_neurons) list of summed weights; returns spikes.
    """
    c = block.compartment
    spikes = []
    current, voltage, wait = ([0] * block.n_neurons for _ in range(3))

    def fade(value, decay):
        return int(math.copysign(abs(value) * (4096 - decay) >> 12, value))

    for inputs in arriving:
        fired = []
        for i in range(block.n_neurons):
            current[i] = fade(current[i], int(c.decay_u[i]) + 1) + int(inputs[i])
            voltage[i] = fade(voltage[i], int(c.decay_v[i])) + current[i] + int(c.bias[i])
            voltage[i] = min(max(voltage[i], int(c.vmin)), int(c.vmax))
            if wait[i] > 0:
                voltage[i] = 0
            fires = voltage[i] > int(c.vth[i])
            if fires:
                voltage[i] = 0
                wait[i] = int(c.refract_delay[i])
            wait[i] = max(wait[i] - 1, 0)
            fired.append(fires)
        spikes.append(fired)
    return np.array(spikes)


def arriving_at(synapse, spikes, n_neurons):
    """Sum of weights per step of a dense synapse whose axon k carries sender k's spikes."""
    total = np.zeros((len(spikes), n_neurons), int)
    for step in range(1, len(spikes)):
        for sender in spikes[step - 1].nonzero()[0]:  # one step on the way
            total[step, synapse.indices[sender][0]] += synapse.weights[sender][0]
    return total


@pytest.mark.parametrize("refractory", [False, True])
@pytest.mark.parametrize("synapse", [None, 0.005])
def test_emulator_equals_integers_in_plain_python(synapse, refractory):
    import nengo

    options = {"neuron": nengo.LIF(tau_ref=0.003), "rate": 250.0} if refractory else {}
    network, x = make_network("5-9-6-3o", synapse=synapse, **options)
    shown = loihi._Input(5)
    shown.values = x[0].astype(float)
    with stack.quiet_build():
        built, _, _ = loihi._placed(network, shown, "chip")
        with loihi._simulator(stack.nengo_loihi(), built, network, "sim") as sim:
            sim.run_steps(80)
            spikes = {name: sim.data[p] > 0 for name, p in built.spike_probes.items()}
            blocks = sim.model.blocks
    senders = spikes["input"]
    for block, name in zip(blocks, network.spiking_layers):
        assert spikes[name].sum() > 20
        (weights,) = block.synapses
        arriving = arriving_at(weights, senders, block.n_neurons)
        np.testing.assert_array_equal(plain_python_lif(block, arriving), spikes[name])
        senders = spikes[name]


@pytest.mark.parametrize("first_layer", ["host", "chip"])
def test_deliveries_at_once_change_no_integer(first_layer, monkeypatch, request):
    # cut into several blocks, so that one neuron sends to several cores
    monkeypatch.setitem(placement.CORE_LIMITS, "compartments", 12)
    network, x = make_network("7x7-3c3-4c2s2-7-3o", padding="same")
    ours = run(network, x[:3], N_STEPS, engine="loihi", first_layer=first_layer)
    assert all(counts.sum() > 20 for counts in ours.spike_counts.values())
    request.getfixturevalue("own_deliveries")
    same(ours, run(network, x[:3], N_STEPS, engine="loihi", first_layer=first_layer))


@pytest.mark.parametrize("first_layer", ["host", "chip"])
@pytest.mark.parametrize("synapse", [None, 0.005])
def test_a_sample_leaves_nothing_for_the_next(first_layer, synapse):
    network, x = make_network(synapse=synapse)
    options = {"engine": "loihi", "first_layer": first_layer}
    alone = run(network, x[2:3], N_STEPS, **options)
    after = run(network, x[:3], N_STEPS, **options)
    np.testing.assert_array_equal(after.outputs[2], alone.outputs[0])
    for layer in alone.spike_counts:
        np.testing.assert_array_equal(after.spike_counts[layer][2], alone.spike_counts[layer][0])
        np.testing.assert_array_equal(
            after.spikes_over_time[layer][2], alone.spikes_over_time[layer][0]
        )


def test_without_quantisation_it_equals_the_reference(reference):
    network, x = make_network()
    ours = run(network, x[:3], 100, engine="loihi", target="simreal")
    _, spikes = reference(network, x[:3], 100, on_chip=("conv2", "dense1"))
    for layer in network.spiking_layers:
        wanted = spikes[layer].sum(axis=1)
        # the chip adds a step of delay per layer: a spike more or less
        assert np.abs(ours.spike_counts[layer] - wanted).max() <= 3
        assert np.corrcoef(ours.spike_counts[layer].ravel(), wanted.ravel())[0, 1] > 0.99


def test_splitting_a_layer_keeps_the_order_of_its_neurons(monkeypatch):
    # in nengo-loihi's issue 285 probes of split ensembles were at fault
    network, x = make_network("8x8-3c3-5c2-3o")
    whole = run(network, x[:2], 60, engine="loihi", target="simreal")
    monkeypatch.setitem(placement.CORE_LIMITS, "compartments", 40)
    assert len(chip_report(network).cores) > 3
    parts = run(network, x[:2], 60, engine="loihi", target="simreal")
    wanted = whole.spike_counts["conv2"]
    assert len(np.unique(wanted)) > 3
    assert np.abs(parts.spike_counts["conv2"] - wanted).mean() < 0.02
    np.testing.assert_allclose(parts.outputs, whole.outputs, atol=0.1 * whole.outputs.std())


def test_emulator_agrees_with_nengo_dl():
    network, x = make_network(rate=200.0)
    chip = run(network, x, 120, engine="loihi").outputs[:, -1]
    wanted = run(network, x, 120).outputs[:, -1]
    assert np.corrcoef(chip.ravel(), wanted.ravel())[0, 1] > 0.95


def test_chip_layers_start_at_zero_without_a_warning(small):
    network, _ = small
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="NengoLoihi does not support initial values")
        with stack.quiet_build():
            warnings.filterwarnings("error", message="NengoLoihi does not support initial values")
            built, _ = loihi._network(network, loihi._Input(72), "host")
            placement.build_model(built.net, network.dt)
    starts = [e.neuron_type.initial_state["voltage"].options for e in built.ensembles.values()]
    np.testing.assert_array_equal(np.ravel(starts), [network.initial_voltage, 0, 0])


@pytest.mark.parametrize("shape", [(5,), (3000,), (12, 12, 16), (31, 17, 24), (40, 40, 3)])
def test_blocks_cover_the_layer(shape):
    blocks = placement.block_shapes(shape)
    counts = []
    for block in blocks:
        n_blocks = [math.ceil(n / b) for n, b in zip(shape, block)]
        assert math.prod(block) <= 1024
        assert all(k * b >= n > (k - 1) * b for k, b, n in zip(n_blocks, block, shape))
        counts.append(math.prod(n_blocks))
    assert counts == sorted(counts)
    assert counts[0] == math.ceil(math.prod(shape) / 1024) or len(shape) > 1


def test_large_layers_are_split_within_every_limit():
    from nengo_loihi.builder import Model
    from nengo_loihi.builder.builder import ValidationLevel

    network, _ = make_network("16x16-4c3-12c3-40-5o")
    report = chip_report(network)
    assert {row["layer"]: row["neurons"] for row in report.rows()} == {"conv2": 1728, "dense1": 40}
    assert sum(core["layer"] == "conv2" for core in report.cores) >= 2
    assert report.on_host == ("conv1",)
    for core in report.cores:
        for limit, most in placement.CORE_LIMITS.items():
            assert 0 <= core[limit] <= most
    # nengo-loihi's own check, at its strictest
    with stack.quiet_build():
        built, _, _ = loihi._placed(network, loihi._Input(256), "host")
        model = Model(dt=network.dt)
        model.validation_level = ValidationLevel.FULL
        model.build(built.net, precompute=None, remove_passthrough=True, discretize=True)


@pytest.mark.parametrize("limit", ["in_axons", "synapse_bits"])
def test_layer_that_cannot_fit_is_named(limit, monkeypatch, small):
    monkeypatch.setitem(placement.CORE_LIMITS, limit, 2)
    with pytest.raises(EngineError, match=rf"'(conv2|dense1)' does not fit.*{limit} is \d+.*use"):
        chip_report(small[0])


def test_overflow_is_loud():
    network, x = make_network("9-300-40-3o", rate=900.0, synapse=None)
    for layer in network.ann.layers:
        if layer.name in ("dense1", "dense2"):
            kernel, bias = layer.get_weights()
            layer.set_weights([np.ones_like(kernel), bias])
    network = make_copy(network)
    with pytest.raises(EngineError, match=r"sample 0, step \d+: Overflow in q0.*lower"):
        run(network, x[:1], N_STEPS, engine="loihi")


def make_copy(network):
    """The network with its stages read again."""
    import dataclasses

    return dataclasses.replace(network)


def test_weight_error_is_that_of_eight_bits():
    network, _ = make_network("5-9-6-3o")
    report = chip_report(network)
    assert report.weight_error.keys() == {"dense2"}
    weights = network.stages[1].links[0].map.kernel
    # weights of both signs are even integers: half of the largest is 127.5, cut to 127
    integers = 2 * np.round(weights / np.abs(weights).max() * 127.5).clip(-127, 127)
    scale = (weights * integers).sum() / (integers**2).sum()
    error = np.sqrt(((weights - scale * integers) ** 2).sum() / (weights**2).sum())
    assert report.weight_error["dense2"] == pytest.approx(error, rel=1e-3)
    assert 0 < report.weight_error["dense2"] < 0.02


def test_report_reads_well_and_goes_through_json(small):
    report = chip_report(small[0])
    again = ChipReport(**json.loads(json.dumps(report.to_dict())))
    assert again.rows() == report.rows()
    text = str(report)
    assert "layers on the host: conv1" in text
    assert "conv2" in text and "8-bit weight error" in text
    assert "conv1" not in [row["layer"] for row in report.rows()]
    everything = chip_report(small[0], first_layer="chip")
    assert everything.on_host == ()
    assert [row["layer"] for row in everything.rows()] == ["conv1", "conv2", "dense1"]
    assert ChipReport([{}] * 129, (), {}).n_chips == 2


def test_input_neurons_count_their_synapses(small):
    network, x = small
    recording = run(network, x[:2], N_STEPS, engine="loihi", first_layer="chip")
    fan_out = network.stages[0].links[0].map.fan_out(np.ones(network.stages[0].n_neurons, int))
    np.testing.assert_array_equal(
        recording.synops["input"], recording.spike_counts["input"] @ fan_out
    )
    # 500 Hz for the value 1: x / 2 spikes a step, give or take the start at a half
    counts = recording.spike_counts["input"]
    assert np.abs(counts - x[:2].reshape(2, -1) * 0.5 * N_STEPS).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "loihi"}, "NxSDK"),
        ({"target": "chip"}, "target is 'chip'"),
        ({"first_layer": "cloud"}, "first_layer is 'cloud'"),
    ],
)
def test_bad_options_are_refused(small, options, message):
    network, x = small
    with pytest.raises(EngineError, match=message):
        run(network, x, N_STEPS, engine="loihi", **options)


def test_negative_pixels_are_refused_on_the_chip(small):
    network, x = small
    with pytest.raises(EngineError, match=r"down to -0\.25"):
        run(network, np.full_like(x, -0.25), N_STEPS, engine="loihi", first_layer="chip")


def test_one_spiking_layer_on_the_host_is_refused():
    network, x = make_network("6-5-3o")
    assert network.first_layer == "chip"  # `convert` chose it
    with pytest.raises(EngineError, match="nothing is left for the chip"):
        run(network, x, N_STEPS, engine="loihi", first_layer="host")
    assert run(network, x[:1], 5, engine="loihi").n_samples == 1


def test_chip_settings_slow_the_neurons_and_show_longer(small):
    network, x = small
    slower = loihi.chip_settings(network)
    assert slower.n_steps == 2 * network.n_steps
    np.testing.assert_allclose(slower.ann(x), network.ann(x), rtol=1e-4, atol=1e-6)
    before = run(network, x[:2], engine="loihi")
    after = run(slower, x[:2], engine="loihi")
    assert after.n_steps == 2 * network.n_steps
    assert run(slower, x[:1], 7, engine="loihi").n_steps == 7  # what is asked for is obeyed
    spikes = [sum(c.sum() for c in r.spike_counts.values()) for r in (before, after)]
    assert spikes[1] == pytest.approx(spikes[0], rel=0.3)
