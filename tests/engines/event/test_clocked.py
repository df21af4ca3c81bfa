"""The event engine against NengoDL, and against plain loops in float64."""

import dataclasses
import functools
import types

import numpy as np
import pytest

from nengo_tactile.ann.residual import resnet
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.engines import run
from nengo_tactile.engines.event import clocked
from nengo_tactile.engines.event.clocked import Clocked
from nengo_tactile.engines.event.kernel import BLOCK
from nengo_tactile.engines.event.plan import plan_of
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.networks.linear_maps import Convolution
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.stages import Graph, Link, Stage
from tests.support import stage_graphs as graphs
from tests.support import step_loop
from tests.support.engine_networks import BAD_INPUTS
from tests.support.measures import assert_same_recordings, peak_bytes
from tests.support.random_models import keras
from tests.support.stage_graphs import conv, neurons

MEASURED = ("spike_counts", "spikes_over_time", "units_over_time", "synops_over_time")
NETWORKS = ("graphs", "maps", "graded graphs", "graded maps")


def network_of(model, **settings):
    return SpikingNetwork(model, **{"synapse": None, "discard": 0.0, **settings})


def all_maps(la, x):
    """Kinds of maps that the graphs of stage_graphs.py have not, one after another."""
    x = neurons(conv(x, 4, 3, strides=2))
    x = neurons(conv(la.UpSampling2D(2, interpolation="bilinear")(x), 12, 2, dilation_rate=2))
    x = neurons(la.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x))
    x = neurons(la.DepthwiseConv2D(2, 2, "same", depth_multiplier=2)(x), reset="zero")
    x = neurons(conv(x, 16, 2, groups=4))
    x = neurons(la.Conv2DTranspose(10, 3, 2, "same")(x), negative_slope=0.5)
    x = neurons(la.Dense(9)(x), start=-0.75, per_neuron=True)
    x = la.Concatenate()([neurons(conv(x, 33, 1, "valid")), x])
    x = la.Concatenate(axis=1)([neurons(conv(x, 5, 2)), neurons(conv(x, 5, 4))])
    x = la.MaxPooling1D(2)(
        la.Reshape((20, 10))(neurons(conv(x, 5, 3, "valid"), negative_slope=0.25))
    )
    x = neurons(la.Conv1D(5, 3, padding="same")(x))
    x = neurons(la.DepthwiseConv1D(2)(la.Permute((2, 1))(x)), gain=2.0, amplitude=0.5)
    return neurons(la.Dense(100)(la.Flatten()(x)), reset="zero", compensation=1.5)


@functools.lru_cache
def recordings():
    """{name: (network, NengoDL's recording, the event engine's)} with dyadic weights."""
    found = {}
    for name, change in (("", None), ("graded ", graphs.graded)):
        network, wanted, _ = graphs.everything(change)
        got = run(network, graphs.images(), graphs.N_STEPS, engine="event")
        found[f"{name}graphs"] = network, wanted, got
        model, x = graphs.model_of(all_maps, seed=3), graphs.images()
        network = network_of(model if change is None else change(model))
        engines = (run(network, x, graphs.N_STEPS, engine=name) for name in ("nengo-dl", "event"))
        found[f"{name}maps"] = network, *engines
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_and_output_is_nengo_dls(name):
    network, wanted, got = recordings()[name]
    assert got.engine == "event" and got.dt == wanted.dt
    sums = network.graph.sums
    sending = [s.name for s in network.graph.varying() if s.spikes or s.name in sums]
    fan_out = step_loop.fan_outs(network.graph)
    for what in MEASURED:
        layers = sending if what == "synops_over_time" else network.spiking_layers
        assert list(getattr(got, what)) == list(getattr(wanted, what)) == layers
        for layer, values in getattr(wanted, what).items():
            copied = what == "synops_over_time" and not fan_out[layer].any()  # into sums
            assert values.any() != copied, f"{layer} is silent and proves nothing"
            found = getattr(got, what)[layer]
            np.testing.assert_array_equal(found, values, err_msg=f"{what} of {layer}")
            assert found.dtype.kind == values.dtype.kind
    np.testing.assert_array_equal(got.outputs, wanted.outputs)
    assert got.outputs.dtype == np.float32 and got.outputs.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_is_that_of_loops_over_stages(name):
    """And so are NengoDL's, which are the same: see above."""
    network, _, got = recordings()[name]
    n_steps = got.outputs.shape[1]
    sent = step_loop.shown(network.graph, graphs.images(), n_steps)
    fan_out = step_loop.fan_outs(network.graph)
    for layer, counts in got.spike_counts.items():
        fired = sent[layer] != 0
        np.testing.assert_array_equal(counts, fired.sum(axis=1))
        np.testing.assert_array_equal(got.spikes_over_time[layer], fired.sum(axis=2))
        units = np.floor(np.abs(sent[layer]) + 0.5).clip(1) * fired
        np.testing.assert_array_equal(got.units_over_time[layer], units.sum(axis=2))
        np.testing.assert_array_equal(got.synops_over_time[layer], fired @ fan_out[layer])
    # what the spikes bring to sums, apart from what the image and constants do
    values, stages = dict(sent), network.graph.varying().stages[:-1]
    for stage in (stage for stage in stages if stage.adds_up):
        arrived = sum(
            link.forward(np.concatenate(values[link.source]), stage.n_inputs)
            for link in stage.links
        )
        values[stage.name] = arrived.reshape(*sent[stage.name].shape)
        if fan_out[stage.name].any():
            synops = (values[stage.name] != 0) @ fan_out[stage.name]
            np.testing.assert_array_equal(got.synops_over_time[stage.name], synops)
            assert synops.any()
    assert network.graph.sums or name.endswith("maps")
    outputs = np.cumsum(sent[network.graph.stages[-1].name], axis=1)
    outputs /= np.arange(1, n_steps + 1)[:, None]
    np.testing.assert_allclose(got.outputs, outputs, rtol=1e-6, atol=1e-6)


def test_synapses_that_edges_lack_are_counted(rng):
    """A corner's neurons have 480 of 1,080, so what they lack takes two bytes."""
    la = keras().layers
    inputs = keras().Input((7, 10, 2))
    x = la.ReLU()(la.Conv2D(3, 3, padding="same", name="first")(inputs))
    x = la.ReLU()(la.Conv2D(120, 3, padding="same", name="second")(x))
    model = keras().Model(inputs, la.Dense(2)(la.GlobalAveragePooling2D()(x)))
    images = rng.random((2, 7, 10, 2), dtype=np.float32)
    network = convert(model, images, IF(), n_steps=20)
    got = run(network, images, engine="event", rasters=2)
    sends = network.spiking_layers[0]
    fired = got.rasters[sends].astype(int)
    reached = np.full((9, 12), 0)
    reached[1:-1, 1:-1] = 1
    around = sum(reached[i : i + 7, j : j + 10] for i in range(3) for j in range(3)) * 120
    wanted = (fired.reshape(2, 20, 7, 10, 3) * around[:, :, None]).sum((2, 3, 4))
    np.testing.assert_array_equal(got.synops_over_time[sends], wanted)
    assert fired[:, :, [0, 3 * 9, 3 * 69]].any()


def test_both_signs_fire():
    """In `all_maps` LeakyReLU's neurons send negative spikes, which count as spikes."""
    network, _, got = recordings()["maps"]
    stage = next(s for s in network.graph if s.neuron.graded)
    later = next(s for s in network.graph if any(link.source == stage.name for link in s.links))
    assert got.spike_counts[stage.name].any() and got.spike_counts[later.name].any()


def test_spikes_that_are_worth_several_are_counted_once():
    got, plain = (recordings()[name][2] for name in ("graded graphs", "graphs"))
    several = [
        name
        for name, units in got.units_over_time.items()
        if units.sum() > got.spikes_over_time[name].sum()
    ]
    assert len(several) > 10
    stages = [stage for stage in recordings()["graphs"][0].graph if stage.fires]
    for stage in stages:
        units, spikes = plain.units_over_time[stage.name], plain.spikes_over_time[stage.name]
        np.testing.assert_array_equal(units, spikes)


def plain_model():
    """Convolution, max pooling, and a dense layer that also sees the image; seeded weights."""
    la = keras().layers
    inputs = keras().Input((4, 4, 2))
    first = neurons(conv(inputs, 3, name="first"), name="a", negative_slope=0.5)
    pooled = la.MaxPooling2D(2, name="pool")(first)
    flat = la.Concatenate(name="both")([la.Flatten()(pooled), la.Flatten()(inputs)])
    second = neurons(
        la.Dense(5, name="second")(flat), name="b", compensation=1.25, negative_slope=0.25
    )
    model = keras().Model(inputs, la.Dense(3, name="out")(second))
    graphs.with_dyadic_weights(model, seed=6)
    kernel, bias = model.get_layer("second").get_weights()
    kernel[:12] *= 4  # of spikes, so that currents change sign
    model.get_layer("second").set_weights([kernel, bias])
    return model


def leaky(net, slope):
    """What neurons have sent by a net count: positive spikes less negative ones."""
    return np.where(net > 0, net, slope * net)


def plain_loop(model, x, n_steps):
    """One sample neuron by neuron.

    Returns outputs, spike counts, synaptic operations, and how many spikes of each neuron of the
    second layer were followed by one of the other sign.
    """
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    kernel, bias = weights["first"]
    image = np.zeros((4, 4, 3)) + bias
    synapses = np.zeros((4, 4, 3), int)  # a spike of `a` reaches one slot of the max pooling
    for y, z, dy, dx in np.ndindex(4, 4, 3, 3):
        if 0 <= y + dy - 1 < 4 and 0 <= z + dx - 1 < 4:
            image[y, z] += x[y + dy - 1, z + dx - 1] @ kernel[dy, dx]
    synapses += 1
    dense, dense_bias = weights["second"]
    rest = x.ravel() @ dense[12:] + dense_bias
    v, w = np.full((4, 4, 3), 0.5), np.full(5, 0.5)
    net, pooled = np.zeros((4, 4, 3), int), np.zeros((2, 2, 3))
    later_net, ups, downs = np.zeros(5, int), np.zeros(5, int), np.zeros(5, int)
    counts = {"first": np.zeros((4, 4, 3), int), "pool": np.zeros((2, 2, 3), int)}
    counts["second"] = np.zeros(5, int)
    reached = {"pool": (dense[:12] != 0).sum(1).reshape(2, 2, 3)}
    reached["second"] = (weights["out"][0] != 0).sum(1)
    outputs, synops = [], {name: [] for name in counts}
    for _ in range(n_steps):
        v += image
        up, down = v >= 1, v <= -1
        v += down.astype(int) - up.astype(int)
        net += up.astype(int) - down.astype(int)
        total = leaky(net, 0.5)
        largest = np.maximum.reduce([total[i::2, j::2] for i in (0, 1) for j in (0, 1)])
        rise, pooled = largest - pooled, largest
        w += rest + 1.25 * (rise.ravel() @ dense[:12])
        sign = (w >= 1).astype(int) - (w <= -1)
        w -= sign
        before, later_net = leaky(later_net, 0.25), later_net + sign
        value = leaky(later_net, 0.25) - before
        ups, downs, fired = ups + (sign > 0), downs + (sign < 0), sign != 0
        counts["first"] += up | down
        counts["pool"] += rise != 0
        counts["second"] += fired
        synops["first"].append(((up | down) * synapses).sum())
        synops["pool"].append(((rise != 0) * reached["pool"]).sum())
        synops["second"].append((fired * reached["second"]).sum())
        outputs.append(value @ weights["out"][0] + weights["out"][1])
    outputs = np.cumsum(outputs, axis=0) / np.arange(1, n_steps + 1)[:, None]
    return outputs, counts, synops, np.minimum(ups, downs)


def test_equal_to_a_plain_loop():
    model, x = plain_model(), np.random.default_rng(6).integers(0, 9, (2, 4, 4, 2)) / 8
    n_steps = BLOCK + 5
    got = run(network_of(model), x, n_steps, engine="event")
    stages = dict(zip(("first", "pool", "second"), got.spike_counts))
    for sample in range(2):
        outputs, counts, synops, pairs = plain_loop(model, x[sample], n_steps)
        assert pairs.sum() > 4
        np.testing.assert_allclose(got.outputs[sample], outputs, rtol=1e-6, atol=1e-7)
        for name, layer in stages.items():
            assert counts[name].sum() > 5, name
            np.testing.assert_array_equal(got.spike_counts[layer][sample], counts[name].ravel())
            np.testing.assert_array_equal(got.synops_over_time[layer][sample], synops[name])


@pytest.fixture(scope="module")
def residual():
    """A small residual network with random weights, and images."""
    model = resnet(14, (8, 8, 3), widths=(4, 8), seed=2)
    x = np.random.default_rng(0).random((6, 8, 8, 3), dtype=np.float32)
    return convert(model, x, IF(), n_steps=64), x


DEPTH, CHANNELS = 10, 8


@pytest.fixture(scope="module")
def deep():
    """Convolutions of 3 x 3 one after another, which amplify rounding; and images."""
    la = keras().layers
    inputs = x = keras().Input((10, 10, 2))
    for number in range(DEPTH):
        layer = la.Conv2D(CHANNELS, 3, padding="same", activation="relu", name=f"conv{number}")
        x = layer(x)
        layer.bias.assign(np.random.default_rng(number).normal(0, 0.1, CHANNELS))
    model = keras().Model(inputs, la.Dense(3, name="out")(la.Flatten()(x)))
    x = np.random.default_rng(1).random((24, 10, 10, 2), dtype=np.float32)
    return convert(model, x, IF(), n_steps=64), x


def in_float64(network, x, n_steps):
    """Spike counts of each layer of `deep`, by loops over steps, layers and the kernel."""
    weights = [network.ann.get_layer(f"conv{n}").get_weights() for n in range(DEPTH)]
    (parameters,) = {stage.neuron for stage in network.graph if stage.spikes}
    assert parameters == IntegrateFire()

    def convolved(image, kernel, bias):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
        total = np.zeros((*image.shape[:3], CHANNELS)) + bias
        for row, column in np.ndindex(3, 3):
            window = padded[:, row : row + 10, column : column + 10]
            total += window @ kernel[row, column].astype(np.float64)
        return total

    constant = convolved(x.astype(np.float64), *weights[0])
    potentials = [np.full(constant.shape, 0.5) for _ in weights]
    counts = [np.zeros(constant.shape, int) for _ in weights]
    for _ in range(n_steps):
        current = constant
        for number, potential in enumerate(potentials):
            potential += current
            fired = potential >= 1
            potential -= fired
            counts[number] += fired
            if number + 1 < DEPTH:
                current = convolved(fired.astype(np.float64), *weights[number + 1])
    return [count.reshape(len(x), -1) for count in counts]


# A few dozen ties of 192,000 neurons, other ones on every processor, decide which of the two
# engines moves more here; so a share of either below this one counts as none.
FEW = 1e-3


def test_rounding_moves_no_more_spikes_than_in_nengo_dl(deep):
    """Share of neurons with another spike count than in float64, of either engine."""
    network, x = deep
    exact = in_float64(network, x, 64)
    shares = {}
    for engine in ("nengo-dl", "event"):
        counts = run(network, x, 64, engine=engine).spike_counts.values()
        shares[engine] = np.mean([(a != b).mean() for a, b in zip(counts, exact)])
        moved = sum(np.abs(a - b).sum() for a, b in zip(counts, exact))
        assert moved < 0.002 * sum(count.sum() for count in exact)
    assert shares["event"] <= max(shares["nengo-dl"], FEW), shares


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 4}, {"threads": 1}])
def test_minibatches_and_threads_do_not_matter(residual, options):
    network, x = residual
    assert_same_recordings(
        run(network, x, 40, engine="event", **options),
        run(network, x, 40, engine="event", threads=3),
    )


@pytest.mark.parametrize("n_steps", [1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_blocks_of_steps_do_not_matter(residual, n_steps):
    network, x = residual
    short = run(network, x[:2], n_steps, engine="event")
    long = run(network, x[:2], 2 * BLOCK + 3, engine="event")
    np.testing.assert_array_equal(short.outputs, long.outputs[:, :n_steps])
    for layer, spikes in short.spikes_over_time.items():
        np.testing.assert_array_equal(spikes, long.spikes_over_time[layer][:, :n_steps])


def test_counts_of_long_runs_have_more_bytes(residual, monkeypatch):
    network, x = residual
    short = run(network, x, 40, engine="event")
    monkeypatch.setattr(clocked, "NARROW_STEPS", 39)
    long = run(network, x, 40, engine="event", batch_size=3)
    assert_same_recordings(short, long)
    for layer, counts in long.spike_counts.items():
        assert (short.spike_counts[layer].dtype, counts.dtype) == (np.int16, np.int32)
        np.testing.assert_array_equal(counts.sum(axis=1), long.spikes_over_time[layer].sum(axis=1))


def test_the_read_out_leaves_out_what_the_network_says(residual):
    network, x = residual
    late = dataclasses.replace(network, discard=0.5)
    whole, late = (run(one, x[:2], 16, engine="event").outputs for one in (network, late))
    each = np.diff(whole * np.arange(1, 17)[:, None], axis=1, prepend=0)
    np.testing.assert_allclose(late[:, 15], each[:, 8:].mean(axis=1), rtol=1e-3, atol=1e-4)


def test_memory_does_not_grow_with_steps(residual):
    network, x = residual
    engine = Clocked(network, threads=2)
    engine.record(x, 1)  # what is made once

    def peak(n_steps):
        return peak_bytes(engine.record, x, n_steps)

    of_step = (peak(20 * BLOCK) - peak(BLOCK)) / (19 * BLOCK) / len(x)
    # two sums of each layer, and what the mean over outputs takes on the way
    n_layers, n_outputs = len(network.spiking_layers), network.graph.stages[-1].n_neurons
    assert of_step <= 2 * 8 * n_layers + 8 * 8 * n_outputs
    n_neurons = sum(stage.n_neurons for stage in network.graph)
    (scratch,) = engine.memories.take(1)
    held = [*scratch[1:], scratch.memory.state, scratch.memory.net]
    assert sum(array.nbytes for array in held) < n_neurons * (8 * BLOCK + 16) + 2**16


def test_events_keep_their_room_as_long_as_they_are_read():
    """Room in the pool is used again: less than all stages take, and no two at a time."""
    network = recordings()["graphs"][0]
    engine = Clocked(network, threads=1)
    stages = engine.plan.stages
    assert len(engine.memories.take(1)[0].events) < 0.8 * BLOCK * (stages.size + 1).sum()


@pytest.mark.parametrize("neuron", [IntegrateFire(), IntegrateFire(signed=True, spikes_per_step=3)])
def test_layers_in_which_nothing_changes(neuron):
    """They wait for the first spike; but what fires without one, from its start, goes on firing."""
    rng, size = np.random.default_rng(3), (4, 5, 3)
    maps = [
        Convolution(rng.integers(-4, 9, (3, 3, 3, 3)) / 8, size, size, padding=(1, 1))
        for _ in range(4)
    ]
    full = np.where(np.arange(60) % 7 == 0, 3.75, 0.5)
    stages = (
        Stage("first", size, neuron, [Link("input", maps[0])]),
        Stage("late", size, neuron, [Link("first", maps[1])]),
        Stage("full", size, neuron, [Link("late", maps[2])], start=full),
        Stage("sums", size, Sum(), [Link("full", maps[3])]),
        Stage("last", size, Sum(), [Link("sums", maps[1])]),
    )
    graph = Graph(size, stages)
    network = types.SimpleNamespace(
        graph=graph, synapse=None, dt=0.001, fan_out=graph.fan_out, discard=0.0,
        read_out=ReadOut.linear((60,)),
    )  # fmt: skip
    x, n_steps = (rng.random((2, 60)) < 0.2) / 64, 2 * BLOCK + 5
    sent = step_loop.shown(graph, x, n_steps)
    got = Clocked(network, threads=1).record(x.astype(np.float32), n_steps)
    silent = {name: (sent[name] == 0).all(axis=2).mean() for name in ("first", "late", "full")}
    assert all(0.05 < share < 1 for share in silent.values()), silent
    for name in silent:
        fired = (sent[name] != 0).sum(axis=2)
        np.testing.assert_array_equal(got.spikes_over_time[name], fired)
    outputs = np.cumsum(sent["last"], axis=1) / np.arange(1, n_steps + 1)[:, None]
    np.testing.assert_allclose(got.outputs, outputs, rtol=1e-6, atol=1e-6)


def test_lif_networks_are_refused(small):
    network, x = small
    with pytest.raises(EngineError, match=r"layer '\w+': its neurons are LIF.*neuron=nt.IF\(\)"):
        run(network, x, 4, engine="event")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neuron": IntegrateFire(threshold=2.0)}, "its neurons are IntegrateFire"),
        ({"axon": True}, "has delays, which the event engine has not"),
    ],
)
def test_what_graphs_may_have_and_the_engine_has_not(residual, change, message):
    network, _ = residual
    first, *others = network.graph.stages
    if "axon" in change:
        change = {"axon": np.ones(first.n_neurons, int)}
    stages = [dataclasses.replace(first, **change), *others]
    graph = dataclasses.replace(network.graph, stages=stages)
    changed = types.SimpleNamespace(graph=graph, synapse=None, dt=0.001, fan_out=network.fan_out)
    with pytest.raises(EngineError, match=f"layer '{first.name}'.? ?:? ?{message}"):
        plan_of(changed)


def test_a_synapse_is_refused(residual):
    network, x = residual
    with pytest.raises(EngineError, match=r"synapse of 0\.005 s.*synapse=None"):
        run(dataclasses.replace(network, synapse=0.005), x, 4, engine="event")


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"threads": 0}, {"threads": 1.5}])
def test_bad_options_are_refused(residual, options):
    network, x = residual
    with pytest.raises(EngineError, match=f"{next(iter(options))} is .*whole number"):
        run(network, x, 4, engine="event", **options)


@pytest.mark.parametrize(("change", "message"), BAD_INPUTS)
def test_bad_input_is_refused(residual, change, message):
    network, x = residual
    with pytest.raises(DataError, match=message):
        run(network, change(x), 4, engine="event")


def test_a_first_use_says_that_it_compiles(residual, monkeypatch):
    said, compiled = [], clocked.simulate

    class Once:
        signatures = ()

        def __call__(self, *arguments):
            return compiled(*arguments)

    def track(sequence, description, progress):
        said.append((description, progress))
        return sequence

    monkeypatch.setattr(clocked, "simulate", Once())
    monkeypatch.setattr(clocked, "track", track)
    network, x = residual
    run(network, x[:1], 2, engine="event", progress=True)
    assert said == [
        ("compiling the event engine, once", True),
        ("running the event engine", True),
    ]
