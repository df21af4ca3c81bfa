"""The Loihi engine against an integer simulation in plain Python, Nengo and closed forms."""

import dataclasses
import json
import math
import warnings

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.engines import chip_build, core_shapes, emulator, loihi, placement, run
from nengo_tactile.engines.loihi import ChipReport, chip_report
from nengo_tactile.errors import EngineError
from tests.support.engine_networks import N_STEPS, make_network, run_reference
from tests.support.measures import assert_same_recordings

pytestmark = pytest.mark.stack


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

    nengos = LIF(tau_rc=0.02, tau_ref=0.003, offset=0)
    options = {"neuron": nengos, "rate": 250.0} if refractory else {}
    network, x = make_network("5-9-6-3o", synapse=synapse, **options)
    shown = chip_build.Shown(network)
    shown.values = x[0].astype(float)
    with stack.quiet_build():
        built, _, _ = chip_build.placed(chip_build.prepare(network, ()), shown)
        with emulator.simulator(built.net, network.dt) as sim:
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


@pytest.mark.parametrize("synapse", [None, 0.005])
@pytest.mark.parametrize("on_host", ["conv1", "conv1,conv2", ()])
def test_every_spike_potential_and_output_is_nengo_loihis(on_host, synapse, monkeypatch):
    # cut into several blocks, so that one neuron sends to several cores
    monkeypatch.setitem(placement.CORE_LIMITS, "compartments", 12)
    network, x = make_network("7x7-3c3-4c2s2-7-3o", padding="same", synapse=synapse)
    ours = run(network, x[:3], N_STEPS, engine="loihi", on_host=on_host, verify=3)
    assert all(counts.sum() > 20 for counts in ours.spike_counts.values())


def test_a_difference_from_nengo_loihi_is_told(monkeypatch, small):
    network, x = small
    run(network, x[:1], N_STEPS, engine="loihi", verify=1)
    chip = next(iter(vars(network)["_chips"].values()))
    chip.layout.program.bias[:] += 6400
    with pytest.raises(EngineError, match=r"sample 0, step \d+: neuron \d+ of layer.*emulator"):
        run(network, x[:1], N_STEPS, engine="loihi", verify=1)
    with pytest.raises(EngineError, match="verify is -1: give a whole number"):
        run(network, x[:1], N_STEPS, engine="loihi", verify=-1)


def test_a_second_run_builds_nothing(monkeypatch):
    network, x = make_network("5-9-6-3o")
    first = run(network, x[:2], N_STEPS, engine="loihi")
    monkeypatch.setattr(placement, "build_model", None)
    assert_same_recordings(first, run(network, x[:2], N_STEPS, engine="loihi", threads=1))
    with pytest.raises(TypeError, match="not callable"):  # another number of steps is another chip
        run(network, x[:2], N_STEPS + 1, engine="loihi")


@pytest.mark.parametrize("on_host", ["conv1", "conv1,conv2", ()])
def test_operations_on_the_chip_are_those_into_its_layers(on_host):
    """Counted neuron by neuron with the matrices of the links; the read-out is on the host."""
    network, x = make_network("6x6x1-3c3-4c2s2-7-3o")
    got = run(network, x[:2], N_STEPS, engine="loihi", on_host=on_host)
    host = on_host.split(",") if on_host else []
    chip = [stage for stage in network.graph if stage.spikes and stage.name not in host]
    assert got.chip_neurons == sum(stage.n_neurons for stage in chip)
    wanted = dict.fromkeys(got.spike_counts, 0)
    for stage in chip:
        for link in stage.links:
            if link.source in wanted:
                synapses = np.asarray((link.map.matrix() != 0).sum(axis=0))[0]
                wanted[link.source] = wanted[link.source] + got.spike_counts[link.source] @ synapses
    found = {name: series.sum(axis=1) for name, series in got.chip_synops_over_time.items()}
    assert set(found) == set(wanted)
    for name, counts in wanted.items():
        np.testing.assert_array_equal(found[name], counts)
    last, first = network.spiking_layers[-1], host[-1] if host else "input"
    assert not found[last].any() and found[first].any()
    assert (sum(got.synops.values()) > sum(found.values())).all()


@pytest.mark.parametrize("on_host", ["conv1", ()])
@pytest.mark.parametrize("synapse", [None, 0.005])
def test_a_sample_leaves_nothing_for_the_next(on_host, synapse):
    network, x = make_network(synapse=synapse)
    options = {"engine": "loihi", "on_host": on_host}
    alone = run(network, x[2:3], N_STEPS, **options)
    after = run(network, x[:3], N_STEPS, **options)
    np.testing.assert_array_equal(after.outputs[2], alone.outputs[0])
    for layer in alone.spike_counts:
        np.testing.assert_array_equal(after.spike_counts[layer][2], alone.spike_counts[layer][0])
        np.testing.assert_array_equal(
            after.spikes_over_time[layer][2], alone.spikes_over_time[layer][0]
        )


def test_without_quantisation_it_equals_the_reference():
    network, x = make_network()
    ours = run(network, x[:3], 100, engine="loihi", target="simreal")
    _, spikes = run_reference(network, x[:3], 100, on_chip=("conv2", "dense1"))
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
            shown = chip_build.Shown(network)
            built, _ = chip_build.nengo_network(chip_build.prepare(network), shown)
            placement.build_model(built.net, network.dt)
    starts = [
        each.ensemble.neuron_type.initial_state["voltage"].options
        for each in built.neurons.values()
    ]
    np.testing.assert_array_equal(np.ravel(starts), [network.initial_voltage, 0, 0])


@pytest.mark.parametrize("shape", [(5,), (3000,), (12, 12, 16), (31, 17, 24), (40, 40, 3)])
def test_blocks_cover_the_layer(shape):
    blocks = core_shapes.block_shapes(shape)
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
        built, _, _ = chip_build.placed(chip_build.prepare(network), chip_build.Shown(network))
        model = Model(dt=network.dt)
        model.validation_level = ValidationLevel.FULL
        model.build(built.net, precompute=None, remove_passthrough=True, discretize=True)


@pytest.mark.parametrize("limit", ["in_axons", "synapse_bits"])
def test_layer_that_cannot_fit_is_named(limit, monkeypatch, small):
    monkeypatch.setitem(placement.CORE_LIMITS, limit, 2)
    with pytest.raises(
        EngineError, match=rf"'(conv2|dense1)' does not fit.*{limit} is at least \d+.*use"
    ):
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
    return dataclasses.replace(network)


def test_each_neuron_has_eight_bits_of_its_own():
    network, _ = make_network("5-9-6-3o")
    weights = network.graph.stages[1].links[0].map.kernel
    weights *= np.logspace(-2, 1, 6)  # neurons of very different size
    found = chip_report(network).rounding["dense2"]
    # weights of both signs are even integers: half of the largest is 127.5, cut to 127
    most = np.abs(weights).max(axis=0)
    integers = np.round(weights / most * 127.5).clip(-127, 127)
    error = weights - integers / 127.5 * most
    error = np.sqrt((error**2).sum(axis=0) / (weights**2).sum(axis=0))
    assert found["lost_bits"] <= 0
    assert found["median"] == pytest.approx(np.median(error), rel=0.5)
    assert error.max() / 2 < found["worst"] < 0.03


def test_one_scale_for_a_layer_loses_its_small_neurons(monkeypatch):
    network, _ = make_network("5-9-6-3o")
    weights = network.graph.stages[1].links[0].map.kernel
    weights *= [1, 1e-3, 1, 1, 1, 1]
    monkeypatch.setattr(chip_build, "balanced", lambda stages, *_: (stages, {}))
    found = chip_report(network)
    integers = np.round(weights / np.abs(weights).max() * 127.5)
    assert not integers[:, 1].any()
    assert found.rounding["dense2"]["worst"] == pytest.approx(1.0)
    assert found.rounding["dense2"]["median"] < 0.02
    assert "layer 'dense2'" in found.warnings()[0]


def test_report_reads_well_and_goes_through_json(small):
    report = chip_report(small[0])
    again = ChipReport(**json.loads(json.dumps(report.to_dict())))
    assert again.rows() == report.rows()
    text = str(report)
    assert "layers on the host: conv1" in text
    assert "conv2" in text and "8-bit weight error" in text
    assert "conv1" not in [row["layer"] for row in report.rows()]
    everything = chip_report(small[0], on_host=())
    assert everything.on_host == ()
    assert [row["layer"] for row in everything.rows()] == ["conv1", "conv2", "dense1"]
    assert ChipReport([{}] * 129, (), {}).n_chips == 2


def test_input_neurons_count_their_synapses(small):
    network, x = small
    recording = run(network, x[:2], N_STEPS, engine="loihi", on_host=())
    fan_out = (
        network.graph.stages[0]
        .links[0]
        .map.fan_out(np.ones(network.graph.stages[0].n_neurons, int))
    )
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
        ({"on_host": "cloud"}, "names 'cloud', .* choose from conv1, conv2, dense1"),
        ({"on_host": "conv2"}, "'conv1' comes before .*use on_host='conv1,conv2'"),
        ({"on_host": "conv1,conv2,dense1"}, "nothing is left for the chip"),
    ],
)
def test_bad_options_are_refused(small, options, message):
    network, x = small
    with pytest.raises(EngineError, match=message):
        run(network, x, N_STEPS, engine="loihi", **options)


def test_negative_pixels_are_refused_on_the_chip(small):
    network, x = small
    with pytest.raises(EngineError, match=r"down to -0\.25"):
        run(network, np.full_like(x, -0.25), N_STEPS, engine="loihi", on_host=())


@pytest.mark.parametrize("dt", [0.001, 0.0005])
def test_pixels_above_a_spike_a_step_are_refused_on_the_chip(dt):
    network, x = make_network("5-4-3-3o", dt=dt, input_range=None)  # calibrated on 0..1
    most = 0.002 / dt  # input neurons send 500 spikes a second for the value 1
    options = {"engine": "loihi", "on_host": ()}
    every_step = run(network, np.full_like(x[:1], most), 9, **options)
    assert (every_step.spike_counts["input"] >= 8).all()
    with pytest.raises(EngineError, match=rf"worth {most:.0f}, but .* up to 255: scale .*on_host"):
        run(network, np.full_like(x[:1], 255.0), 9, **options)
    bright = run(network, np.full_like(x[:1], 255.0), 9, engine="loihi", on_host="dense1")
    assert bright.n_steps == 9


def late_image():
    """A network whose last spiking layer but one also sees the image, and the Keras model."""
    layers = stack.tensorflow().keras.layers
    x = np.random.default_rng(1).random((4, 4, 4, 2), dtype=np.float32)
    stack.tensorflow().keras.utils.set_random_seed(3)  # of the weights
    start = stack.tensorflow().keras.Input((4, 4, 2))
    first = layers.Conv2D(2, 3, padding="same", activation="relu", name="first")(start)
    second = layers.Conv2D(2, 3, padding="same", activation="relu", name="second")(first)
    seen = layers.Conv2D(2, 1, name="seen")(start)
    both = layers.ReLU(name="both")(layers.Add()([seen, layers.Conv2D(2, 1)(second)]))
    last = layers.Conv2D(2, 3, activation="relu", name="last")(both)
    out = layers.Dense(3, name="out")(layers.Flatten()(last))
    return stack.tensorflow().keras.Model(start, out), x


def test_an_image_that_joins_spikes_from_the_chip_is_refused():
    model, x = late_image()
    network = convert(model, x, LIF(max_rate=200.0, synapse=0.005))
    wanted = r"layer 'both': the image reaches it beside 'second'.*use on_host=\(\)"
    with pytest.raises(EngineError, match=wanted):
        run(network, x[:1], 5, engine="loihi")
    with pytest.raises(EngineError, match=wanted):
        chip_report(network)
    rows = {row.name: row for row in check(model).layers}
    assert [name for name, row in rows.items() if "loihi" not in row.engines] == ["both"]
    # what the error advises
    chip = run(network, x[:1], 200, engine="loihi", on_host=()).outputs[:, -1]
    assert np.abs(chip - model(x[:1])).max() < 0.5 * model(x).numpy().std()


@pytest.mark.parametrize("end", ["convolution", "average", "map"])
def test_a_read_out_that_is_no_matrix_is_refused(end):
    layers = stack.tensorflow().keras.layers
    x = np.random.default_rng(1).random((4, 6, 6, 2), dtype=np.float32)
    start = stack.tensorflow().keras.Input((6, 6, 2))
    found = layers.Conv2D(3, 3, activation="relu")(start)
    found = layers.Conv2D(3, 3, activation="relu", name="spikes")(found)
    found = {
        "convolution": lambda x: layers.Flatten()(layers.Conv2D(2, 2)(x)),
        "average": layers.GlobalAveragePooling2D(),
        "map": layers.Conv2D(2, 2),
    }[end](found)
    model = stack.tensorflow().keras.Model(start, found)
    network = convert(model, x, LIF(max_rate=200.0, synapse=0.005))
    for on_host in (None, ()):
        with pytest.raises(EngineError, match=r"read-out is on the host and 'spikes'.*Flatten"):
            run(network, x[:1], 5, engine="loihi", on_host=on_host)
    assert "loihi" not in check(model).engines


def test_an_image_that_joins_a_dense_layer_runs():
    layers = stack.tensorflow().keras.layers
    x = np.random.default_rng(1).random((4, 6), dtype=np.float32)
    start = stack.tensorflow().keras.Input((6,))
    first = layers.Dense(7, activation="relu", name="first")(start)
    second = layers.Dense(7, activation="relu", name="second")(first)
    sums = [layers.Dense(5)(second), layers.Dense(5)(start)]
    third = layers.ReLU(name="third")(layers.Add()(sums))
    model = stack.tensorflow().keras.Model(start, layers.Dense(3)(third))
    network = convert(model, x, LIF(max_rate=200.0, synapse=0.005))
    assert "loihi" in check(model).engines
    outputs = run(network, x[:2], 200, engine="loihi").outputs[:, -1]
    assert np.abs(outputs - model(x[:2])).max() < 0.5 * model(x).numpy().std()


def test_potentials_at_the_start_come_over_the_steps_of_the_run():
    model = build("5-9-6-3o", seed=3)
    x = np.random.default_rng(5).random((8, 5), dtype=np.float32)
    long, short = (convert(model, x, IF(), n_steps=n) for n in (200, 10))
    assert_same_recordings(
        run(long, x[:2], 10, engine="loihi"), run(short, x[:2], 10, engine="loihi")
    )


def test_one_spiking_layer_on_the_host_is_refused():
    network, x = make_network("6-5-3o")
    assert network.on_host == ()  # `convert` chose it
    with pytest.raises(EngineError, match="nothing is left for the chip"):
        run(network, x, N_STEPS, engine="loihi", on_host="dense1")
    assert run(network, x[:1], 5, engine="loihi").n_samples == 1


def test_chip_settings_slow_the_neurons_and_show_longer(small):
    network, x = small
    slower = loihi.chip_settings(network, 0.5)
    assert slower.n_steps == 2 * network.n_steps
    np.testing.assert_allclose(slower.ann(x), network.ann(x), rtol=1e-4, atol=1e-6)
    before = run(network, x[:2], engine="loihi")
    after = run(slower, x[:2], engine="loihi")
    assert after.n_steps == 2 * network.n_steps
    assert run(slower, x[:1], 7, engine="loihi").n_steps == 7  # what is asked for is obeyed
    spikes = [sum(c.sum() for c in r.spike_counts.values()) for r in (before, after)]
    assert spikes[1] == pytest.approx(spikes[0], rel=0.3)


def test_chip_settings_bring_integrate_and_fire_neurons_closer():
    keras = stack.tensorflow().keras
    keras.utils.set_random_seed(0)
    start = keras.Input((5, 5, 2))
    found = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    for _ in range(2):
        inner = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(found)
        inner = keras.layers.Conv2D(4, 3, padding="same")(inner)
        found = keras.layers.ReLU()(keras.layers.Add()([found, inner]))
    model = keras.Model(start, keras.layers.Dense(3)(keras.layers.Flatten()(found)))
    x = np.random.default_rng(0).random((16, 5, 5, 2), dtype=np.float32)
    network = convert(model, x, IF(), n_steps=60)
    shown = [network, loihi.chip_settings(network), loihi.chip_settings(network, 0.25)]
    shown[0] = dataclasses.replace(network, chip_rate=1.0)
    assert [n.synapse for n in shown] == [None, 0.005, 0.005]
    outputs = [run(n, x[:2], engine="loihi").outputs[:, -1] for n in shown]
    errors = [np.sqrt(np.mean((found - model(x[:2])) ** 2)) for found in outputs]
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < 0.8 * errors[1]
