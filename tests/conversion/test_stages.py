"""Stages of all kinds of graphs: three simulators agree spike by spike, and rates are Keras.

Weights, images and thresholds are multiples of 1/8 or 1/16, so that float32 adds them up without
rounding in whatever order, and a spike cannot depend on it.
"""

import functools

import nengo
import numpy as np
import pytest
from random_models import keras

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion.activations import NEURONS
from nengo_tactile.conversion.graph import copy_layer, free_names, rebuild
from nengo_tactile.conversion.layerwise import simulate
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.pooling import MAX_POOLING, analogue_poolings
from nengo_tactile.conversion.stages import graph_of
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.stages import Maximum, MaxPool, Sum

SHAPE, N_STEPS, N_OUTPUTS = (6, 6, 2), 24, 2


def neurons(x, name=None, **options):
    return rate_if_layer()(**{"start": 0.5, **options}, name=name)(x)


def conv(x, filters=2, size=3, padding="same", **options):
    return keras().layers.Conv2D(filters, size, padding=padding, **options)(x)


def residual(la, x):
    first = neurons(conv(x))
    return neurons(la.Add()([conv(neurons(conv(first))), first]))


def nested_sums(la, x):
    first, second = neurons(conv(x)), neurons(conv(x))
    inner = la.Add()([conv(first), second])
    return neurons(la.Subtract()([la.Average()([inner, first]), la.Add()([second, inner])]))


def joined(la, x):
    """Concatenation, padding, cropping and another order."""
    first, second = neurons(conv(x)), neurons(conv(x, 3))
    wide = [la.ZeroPadding2D(((1, 0), (0, 2)))(first), la.ZeroPadding2D(((0, 1), (1, 1)))(second)]
    both = la.Concatenate()([*wide, la.ZeroPadding2D(((0, 1), (2, 0)))(conv(second, 2, 1))])
    return neurons(conv(la.Permute((2, 1, 3))(la.Cropping2D(1)(both)), 2, 2, "valid"))


def unet(la, x):
    first = neurons(conv(x))
    down = neurons(conv(la.AveragePooling2D(2)(first), 4))
    up = la.UpSampling2D(2)(down)
    up_again = la.Conv2DTranspose(2, 2, 2)(down)
    return neurons(conv(la.Concatenate()([up, up_again, first]), 2))


def shared_relay(la, x):
    """A sum without neurons that three layers read."""
    first = neurons(conv(x))
    total = la.Add(name="total")([conv(first), first])
    return neurons(la.Add()([conv(total), neurons(conv(total, 2, 1)), total]))


def offset_in_front(la, x):
    """The border of a padded map gets nothing of the offset."""
    return neurons(conv(la.Rescaling(0.5, offset=-1.5)(neurons(conv(x)))))


def offset_of_the_image(la, x):
    return neurons(conv(la.Rescaling(0.5, offset=0.75)(x), 2, 5))


def maxima(la, x):
    first = neurons(conv(x))
    return neurons(conv(la.MaxPooling2D(3, 2, "same")(first), 2, 2))


def maxima_of_sums(la, x):
    """Max pooling of a relay that has biases, and a part below zero."""
    first = neurons(conv(x), negative_slope=0.25)
    pooled = la.MaxPooling2D(2)(la.Add()([conv(first), first]))
    return neurons(la.Add()([pooled, conv(pooled)]))


def maxima_of_the_image(la, x):
    """Windows that overlap and reach beyond the border, of pixels as they are."""
    return neurons(conv(la.MaxPooling2D(3, 2, "same")(x)))


def stem(la, x):
    """As in ResNet50V2: two branches read what comes behind convolution, padding and pooling."""
    pooled = la.MaxPooling2D(3, 2)(la.ZeroPadding2D(1)(conv(x, 3)))
    first = neurons(la.DepthwiseConv2D(1)(pooled))
    return neurons(la.Add()([conv(first, 3), pooled]))


def maxima_of_maxima(la, x):
    """Through a sum, a concatenation and a layer between two poolings."""
    wide = la.Concatenate()([la.Add()([conv(x), x]), la.Rescaling(-0.5, offset=0.25)(x)])
    once = la.MaxPooling2D(2, 1)(wide)
    twice = la.GlobalMaxPooling2D(keepdims=True)(conv(once, 2, 2))
    return neurons(la.Add()([conv(neurons(once), 2, 1), twice]))


def maximum_in_the_read_out(la, x):
    first = la.Flatten()(neurons(conv(x, 1, 2, strides=2)))
    return la.Concatenate()([first, la.GlobalMaxPooling2D()(conv(x))])


def maxima_of_both(la, x):
    """Windows that hold spikes, pixels, and sums of both."""
    first = neurons(conv(x))
    mixed = la.Concatenate()([la.Add()([conv(first), x]), la.Rescaling(0.5)(x), first])
    pooled = la.MaxPooling2D(2)(mixed)
    return neurons(la.Add()([conv(pooled, 2), la.MaxPooling2D(2)(conv(x))]))


def maxima_compensated(la, x):
    """What comes out of a pooling of spikes with constants counts as spikes altogether."""
    first = neurons(conv(x))
    pooled = la.MaxPooling2D(2)(la.Add()([conv(first), la.MaxPooling2D(2, 1, "same")(x)]))
    return neurons(conv(pooled), compensation=1.5)


def image_added_to_spikes(la, x):
    first = neurons(conv(x))
    mixed = la.Add()([conv(first), x])
    return neurons(la.Add()([conv(mixed), neurons(conv(la.Average()([mixed, first])))]))


def compensated(la, x):
    """Compensation enlarges spikes; through sums that both reach, the image stays as it is."""
    first = neurons(conv(x))
    mixed = la.Add()([conv(first), x])
    second = neurons(conv(la.Average()([mixed, first])), compensation=1.25)
    return neurons(la.Add()([conv(mixed), second]), compensation=1.5)


def compensated_beside_the_image(la, x):
    """Relays of relays, with biases; neurons that calibration has shifted."""
    first = neurons(conv(x), compensation=2.0)
    joined = la.Concatenate()([conv(first), la.Rescaling(0.5, offset=0.25)(x)])
    wide = la.ZeroPadding2D(1)(la.Add()([conv(joined, 4), joined]))
    return neurons(conv(wide, 2, 3, "valid"), compensation=1.5, name="shifted")


def image_in_the_read_out(la, x):
    first = la.Flatten()(neurons(conv(x, 1, 2, strides=2)))
    return la.Concatenate()([first, la.Flatten()(la.Cropping2D(2)(x))])


def broadcast(la, x):
    """A value per channel, added at all places."""
    first = neurons(conv(x))
    mean = la.GlobalAveragePooling2D(keepdims=True)(la.Cropping2D(1)(conv(first, 2, 1)))
    return neurons(la.Add()([conv(first), mean]))


def ends_in_neurons(la, x):
    return neurons(la.Dense(3)(la.Flatten()(x)))


GRAPHS = (
    *(residual, nested_sums, joined, unet, shared_relay, offset_in_front, offset_of_the_image),
    *(maxima, maxima_of_sums, maxima_of_the_image, stem, maxima_of_maxima, maxima_of_both),
    *(maximum_in_the_read_out, maxima_compensated),
    *(image_added_to_spikes, compensated, compensated_beside_the_image),
    *(image_in_the_read_out, broadcast, ends_in_neurons),
)


def with_dyadic_weights(model, seed=0):
    """Multiples of 1/8, a third of them zero so that potentials stay small."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name == "shifted":
            layer.set_weights([layer.start_potential, np.full(layer.shift.shape, 0.125)])
        elif type(layer).__name__ != "RateIF":
            layer.set_weights(
                [
                    rng.integers(-4, 5, w.shape) / 8 * (rng.random(w.shape) < 2 / 3)
                    for w in layer.get_weights()
                ]
            )
    return model


def model_of(graph, seed=0):
    """One graph by itself, read by a dense layer."""
    la = keras().layers
    inputs = keras().Input(SHAPE)
    x = graph(la, inputs)
    return with_dyadic_weights(
        keras().Model(inputs, la.Dense(N_OUTPUTS, name="out")(la.Flatten()(x)), name="net"), seed
    )


def images(n=3):
    return np.random.default_rng(5).integers(0, 9, (n, *SHAPE)).astype(np.float32) / 8


@functools.lru_cache
def everything():
    """All graphs side by side in one network, and what three simulators say."""
    la = keras().layers
    inputs = keras().Input(SHAPE)
    outputs = [la.Dense(N_OUTPUTS)(la.Flatten()(graph(la, inputs))) for graph in GRAPHS]
    model = with_dyadic_weights(keras().Model(inputs, la.Concatenate()(outputs)))
    network = SpikingNetwork(model, synapse=None, discard=0.0)
    x = images()
    recording = nengo_tactile.run(network, x, N_STEPS)
    wanted = simulate(model, x, N_STEPS, record=neuron_layers(model))
    return network, recording, wanted


def neuron_layers(model):
    return [layer.name for layer in model.layers if type(layer).__name__ == "RateIF"]


def in_nengo(network, sample, spiking, n_steps):
    """Outputs at each step, and each layer's spikes, of Nengo's reference simulator."""
    built = network.build(spiking=spiking, present=sample.ravel())
    with stack.quiet_build(), nengo.Simulator(built.net, progress_bar=False, optimize=False) as sim:
        sim.run_steps(n_steps)
    spikes = {name: sim.data[probe] for name, probe in built.spike_probes.items()}
    return sim.data[built.output_probe], spikes


def test_something_spikes_in_every_layer():
    _, recording, _ = everything()
    for name, counts in recording.spike_counts.items():
        assert 0 < counts.sum() < counts.size * N_STEPS, name


def test_the_engine_counts_the_spikes_of_the_layer_wise_simulation():
    network, recording, wanted = everything()
    stages = {stage.layer: stage for stage in network.graph}
    for layer, counts in wanted.counts.items():
        found = recording.spike_counts[stages[layer].name]
        assert (found == np.abs(counts).reshape(found.shape)).all(), layer


@pytest.mark.parametrize("number", range(len(GRAPHS)), ids=[g.__name__ for g in GRAPHS])
def test_outputs_are_equal_at_every_step(number):
    _, recording, wanted = everything()
    which = slice(number * N_OUTPUTS, (number + 1) * N_OUTPUTS)
    # means of sums that are exact: the last bit of the division
    found = recording.outputs[:, :, which]
    assert np.allclose(found, wanted.logits[:, :, which], rtol=1e-6, atol=1e-6)
    assert np.abs(found).max() > 0.1


def test_nengo_spikes_at_the_same_steps():
    """Spike by spike: Nengo's own simulator against the engine's sums at every step."""
    network, recording, _ = everything()
    for sample in (0, 2):
        outputs, spikes = in_nengo(network, images()[sample], True, N_STEPS)
        so_far = np.cumsum(outputs, axis=0) / np.arange(1, N_STEPS + 1)[:, None]
        assert np.allclose(so_far, recording.outputs[sample], rtol=1e-6, atol=1e-6)
        assert set(spikes) == set(recording.spikes_over_time) == set(recording.spike_counts)
        for name, fired in spikes.items():
            each_step = (fired != 0).sum(axis=1)
            assert (each_step == recording.spikes_over_time[name][sample]).all(), name
            assert ((fired != 0).sum(axis=0) == recording.spike_counts[name][sample]).all(), name


def test_rates_are_those_of_keras():
    network, _, _ = everything()
    wanted = network.ann(images()).numpy()
    for sample in range(2):
        outputs, _ = in_nengo(network, images()[sample], False, 12)
        top = np.abs(wanted[sample]).max()
        assert np.abs(outputs[-1] - wanted[sample]).max() <= 1e-6 * top


@pytest.mark.parametrize("graph", GRAPHS)
def test_names_are_unique_and_sources_come_first(graph):
    stages = graph_of(model_of(graph)).stages
    seen = {"input"}
    for stage in stages:
        assert stage.name not in seen
        assert all(link.source in seen for link in stage.links)
        assert stage.bias.dtype == np.float32
        seen.add(stage.name)
    assert stages[-1].neuron == Sum() and stages[-1].shape == (N_OUTPUTS,)


def silent_model(model):
    """Keras's own: what arrives at neurons, max pooling and the read-out when no neuron spikes."""
    analogue, free = analogue_poolings(model), free_names(model)
    arriving, names = [], []

    def replace(layer, arguments):
        kind = type(layer).__name__
        if kind not in (*NEURONS, *MAX_POOLING):
            return None
        arriving.append(arguments[0])
        names.append(layer.name)
        kept = copy_layer(layer, arguments) if kind in MAX_POOLING else arguments[0]
        if layer.name in analogue:
            return kept
        return keras().layers.Rescaling(0.0, name=free(f"{layer.name}_silent"))(kept)

    silent = rebuild(model, replace)
    return keras().Model(silent.inputs, [*arriving, silent.outputs[0]]), [*names, model.name]


@pytest.mark.parametrize("graph", GRAPHS)
def test_links_reach_the_neurons_that_they_say(graph):
    """What arrives while nothing spikes, by links and biases, is what Keras says."""
    model, x = model_of(graph), images(2)
    made = graph_of(model)
    silent, names = silent_model(model)
    wanted = dict(zip(names, silent(x)))
    for name, arrived in made.silent(x).items():
        stage = next(stage for stage in made if stage.name == name)
        if not stage.fires and stage is not made.stages[-1]:
            continue
        layer = next((one for one in model.layers if one.name == stage.layer), None)
        shift = np.zeros(1) if layer is None else layer.shift.numpy()
        value = wanted[stage.layer].numpy() + shift  # of each channel
        found = np.broadcast_to(arrived, (len(x), stage.n_inputs))
        assert np.allclose(found, value.reshape(len(x), -1), atol=1e-5), name
    assert len({stage.layer for stage in made if stage.fires}) == len(neuron_layers(model))


def relays(made):
    """Stages that only add up, but for the read-out."""
    return [stage for stage in made.stages[:-1] if stage.neuron == Sum()]


def test_a_shared_sum_is_one_relay():
    made = graph_of(model_of(shared_relay))
    assert [relay.name for relay in relays(made)] == ["total"]
    assert sum(link.source == "total" for stage in made for link in stage.links) == 3


def test_sums_need_no_relay():
    """Branches connect into the neurons that add them up."""
    for graph in (residual, nested_sums):
        assert not relays(graph_of(model_of(graph)))
    assert sum(stage.fires for stage in graph_of(model_of(residual))) == 3


def test_stages_know_what_the_image_reaches():
    made = graph_of(model_of(image_added_to_spikes))
    assert relays(made) and {relay.name for relay in relays(made)} <= made.driven
    # a relay that spikes reach too is no constant
    assert made.constant == {"input"}
    in_front = graph_of(model_of(offset_of_the_image))
    assert len(in_front.constant) == 2
    for graph, driven in ((image_in_the_read_out, True), (residual, False)):
        made = graph_of(model_of(graph))
        assert (made.stages[-1].name in made.driven) == driven


def test_biases_at_the_border_lack_what_padding_leaves_out():
    model = model_of(offset_in_front)
    stage = graph_of(model).stages[-2]
    kernel, bias = model.layers[-4].get_weights()
    assert type(model.layers[-4]).__name__ == "Conv2D"
    # the constant of a pixel: the offset through those weights that stand on the map
    first_bias = np.zeros((8, 8, 2))
    first_bias[1:-1, 1:-1] = -1.5
    wanted = [
        [
            np.einsum("yxc,yxcf->f", first_bias[row : row + 3, column : column + 3], kernel) + bias
            for column in range(6)
        ]
        for row in range(6)
    ]
    found = stage.bias.reshape(6, 6, 2)
    assert np.allclose(found, wanted) and np.ptp(found, axis=(0, 1)).max() > 0


def test_a_relay_of_both_is_two_where_spikes_are_compensated():
    """Only the relay's part from spikes is enlarged, and only where something is."""
    model = model_of(compensated)
    made = graph_of(model)
    apart = {stage.name: stage for stage in made}
    image = {name for name in apart if name.endswith("_analogue")}
    assert image and image == made.constant - {"input"}
    for name in image:
        spikes = apart[name.removesuffix("_analogue")]
        assert sources(apart[name]) <= {"input", *image}
        assert sources(spikes) and not sources(spikes) & {"input", *image}
    for other in (graph_of(model, rates=True), graph_of(model_of(image_added_to_spikes))):
        assert relays(other) and not any(stage.name in image for stage in other)


def sources(stage):
    return {link.source for link in stage.links}


def test_a_network_that_ends_in_neurons_reads_them():
    la = keras().layers
    inputs = keras().Input((4,))
    model = with_dyadic_weights(keras().Model(inputs, neurons(la.Dense(3, name="last")(inputs))))
    first, last = graph_of(model)
    assert first.name == "last" and last.name not in ("last", "input")
    assert last.neuron == Sum() and last.links[0].source == "last"


def test_fan_out_passes_relays():
    """Synapses of each input of a small network, counted by hand."""
    la = keras().layers
    inputs = keras().Input((4, 1))
    first = neurons(la.Conv1D(1, 1, name="first")(inputs))
    total = la.ZeroPadding1D((0, 1), name="wider")(first)
    second = neurons(la.Conv1D(3, 2, name="second")(total))
    model = keras().Model(inputs, la.Dense(2, name="out")(la.Flatten()(second)))
    for layer in model.layers:
        if type(layer).__name__ != "RateIF":
            layer.set_weights([np.ones_like(w) for w in layer.get_weights()])
    counts = graph_of(model).fan_out()
    # the relay's connection has no weights; windows of two reach three filters each
    assert counts["first"].tolist() == [3, 6, 6, 6]
    assert counts["second"].tolist() == [2] * 12 and counts["input"].tolist() == [1] * 4


def test_maxima_of_the_image_are_no_spikes():
    for graph, n_maxima in {
        **dict.fromkeys((maxima_of_the_image, stem, maximum_in_the_read_out), 1),
        maxima_of_maxima: 2,
    }.items():
        kinds = [type(stage.neuron) for stage in graph_of(model_of(graph))]
        assert kinds.count(Maximum) == n_maxima and MaxPool not in kinds
    made = graph_of(model_of(maxima_of_both))
    (spikes,) = [stage.name for stage in made if isinstance(stage.neuron, MaxPool)]
    (image,) = [stage.name for stage in made if isinstance(stage.neuron, Maximum)]
    assert {spikes, image} <= made.driven
    assert spikes not in made.constant and image in made.constant


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda la: la.Activation("tanh", name="odd"), r"'odd' \(Activation\): is no linear"),
        (lambda la: la.PReLU(name="odd"), r"'odd' \(PReLU\): is no linear"),
    ],
)
def test_other_activations_are_refused(layer, message):
    la = keras().layers
    inputs = keras().Input((4,))
    x = layer(la)(neurons(la.Dense(3)(inputs)))
    with pytest.raises(ConversionError, match=message):
        graph_of(keras().Model(inputs, la.Dense(2)(neurons(la.Dense(2)(x)))))


def test_a_map_is_a_read_out():
    inputs = keras().Input(SHAPE)
    model = keras().Model(inputs, conv(neurons(conv(inputs)), 3, name="map"))
    read_out = graph_of(model).stages[-1]
    assert (read_out.neuron, read_out.name, read_out.shape) == (Sum(), "map", (6, 6, 3))
