"""Stages of all kinds of graphs: three simulators agree spike by spike, and rates are Keras."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion.activations import NEURONS
from nengo_tactile.conversion.pooling import MAX_POOLING
from nengo_tactile.conversion.reading import plain
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.neurons import Maximum, MaxPool, Sum
from tests.support.passes import analogue_poolings, graph_of
from tests.support.random_models import keras
from tests.support.stage_graphs import (
    GRAPHS,
    N_OUTPUTS,
    N_STEPS,
    SHAPE,
    compensated,
    conv,
    everything,
    graded,
    image_added_to_spikes,
    image_in_the_read_out,
    images,
    maxima_of_both,
    maxima_of_maxima,
    maxima_of_the_image,
    maximum_in_the_read_out,
    model_of,
    nested_sums,
    neuron_layers,
    neurons,
    offset_in_front,
    offset_of_the_image,
    residual,
    shared_relay,
    stem,
    with_dyadic_weights,
)


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


@pytest.mark.parametrize("change", [None, graded])
def test_the_engine_counts_the_spikes_of_the_layer_wise_simulation(change):
    network, recording, wanted = everything(change)
    stages = {stage.layer: stage for stage in network.graph}
    for layer, counts in wanted.counts.items():
        found = recording.spike_counts[stages[layer].name]
        assert (found == np.abs(counts).reshape(found.shape)).all(), layer


@pytest.mark.parametrize("number", range(len(GRAPHS)), ids=[g.__name__ for g in GRAPHS])
@pytest.mark.parametrize("change", [None, graded])
def test_outputs_are_equal_at_every_step(number, change):
    _, recording, wanted = everything(change)
    which = slice(number * N_OUTPUTS, (number + 1) * N_OUTPUTS)
    # means of sums that are exact: the last bit of the division
    found = recording.outputs[:, :, which]
    assert np.allclose(found, wanted.logits[:, :, which], rtol=1e-6, atol=1e-6)
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("change", [None, graded])
def test_nengo_spikes_at_the_same_steps(change):
    """Spike by spike: Nengo's own simulator against the engine's sums at every step."""
    network, recording, _ = everything(change)
    for sample in (0, 2):
        outputs, spikes = in_nengo(network, images()[sample], True, N_STEPS)
        so_far = np.cumsum(outputs, axis=0) / np.arange(1, N_STEPS + 1)[:, None]
        assert np.allclose(so_far, recording.outputs[sample], rtol=1e-6, atol=1e-6)
        assert set(spikes) == set(recording.spikes_over_time) == set(recording.spike_counts)
        for name, fired in spikes.items():
            each_step = (fired != 0).sum(axis=1)
            assert (each_step == recording.spikes_over_time[name][sample]).all(), name
            assert ((fired != 0).sum(axis=0) == recording.spike_counts[name][sample]).all(), name


@pytest.mark.parametrize("change", [None, graded])
def test_rates_are_those_of_keras(change):
    network, _, _ = everything(change)
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


def silent_values(model, x):
    """What Keras says arrives at neurons, max pooling and the read-out when no neuron spikes."""
    analogue, arriving, sent = analogue_poolings(model), {}, {}
    for layer in plain(model):
        inputs = [sent[source] for source in layer.sources]
        own = model.get_layer(layer.name)
        if not inputs:
            sent[layer.name] = x
            continue
        sent[layer.name] = own(inputs[0] if len(inputs) == 1 else inputs)
        if layer.kind in (*NEURONS, *MAX_POOLING):
            arriving[layer.name] = np.asarray(inputs[0])
            if layer.name not in analogue:
                sent[layer.name] *= 0
    return {**arriving, model.name: np.asarray(sent[model.layers[-1].name])}


@pytest.mark.parametrize("graph", GRAPHS)
def test_links_reach_the_neurons_that_they_say(graph):
    """What arrives while nothing spikes, by links and biases, is what Keras says."""
    model, x = model_of(graph), images(2)
    made = graph_of(model)
    wanted = silent_values(model, x)
    for name, arrived in made.silent(x).items():
        stage = next(stage for stage in made if stage.name == name)
        if not stage.fires and stage is not made.stages[-1]:
            continue
        layer = next((one for one in model.layers if one.name == stage.layer), None)
        shift = np.zeros(1) if layer is None else layer.shift.numpy()
        value = wanted[stage.layer] + shift  # of each channel
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


def test_fan_out_of_relays():
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
    assert counts["first"].tolist() == [3, 6, 6, 6] and not counts["wider"].any()
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
        (lambda la: la.ELU(name="odd"), r"'odd' \(ELU\): is never built"),
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
