"""Every layer of the table of support, converted: rates equal Keras, spikes converge to it.

The cases are in layer_cases.py; those of a group run side by side in one network.
"""

import dataclasses
import functools

import nengo
import numpy as np
import pytest

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.ann import portable
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, LIF
from nengo_tactile.conversion.support import TABLE
from nengo_tactile.engines.chip_host import layers_on_host
from nengo_tactile.engines.chip_stages import chip_graph
from nengo_tactile.errors import EngineError
from tests.support import layer_cases, random_models
from tests.support.layer_cases import GROUPS, N_OUTPUTS, samples
from tests.support.random_models import keras

CASES = [(group, name) for group, cases in GROUPS.items() for name in cases]
#: Converted by tests of their own below.
SOLE = {
    *("InputLayer", "ClipFloor", "RateIF", "RateLIF", "SigmaDelta", "Softmax"),
    *portable.AUGMENTATION,
}
STEPS = (16, 256)
#: Layers' delays in Nengo's reference simulator are steps; the deepest case has fewer.
SETTLED = 12


@dataclasses.dataclass(frozen=True)
class Converted:
    """A group's network and what it did."""

    network: object
    wanted: np.ndarray  # (n_samples, n_outputs)
    rates: np.ndarray
    spiking: np.ndarray  # (n_samples, n_steps, n_outputs), of NengoDL
    events: np.ndarray  # the same, of the event engine


def rates_of(network, x):
    """What the network puts out with rates for neurons, (n_samples, n_outputs)."""
    outputs = []
    for sample in x:
        built = network.build(spiking=False, present=sample.ravel())
        with (
            stack.quiet_build(),
            nengo.Simulator(built.net, progress_bar=False, optimize=False) as sim,
        ):
            sim.run_steps(SETTLED)
        outputs.append(sim.data[built.output_probe][-1])
    return np.array(outputs)


@functools.lru_cache
def converted(group):
    model, x = layer_cases.model_of(GROUPS[group]), samples()
    network = convert(model, x, IF(percentile=100))
    spiking, events = (
        nengo_tactile.run(network, x, max(STEPS), engine=engine).outputs
        for engine in ("nengo-dl", "event")
    )
    return Converted(network, model(x).numpy(), rates_of(network, x[:2]), spiking, events)


def outputs_of(group, name):
    first = list(GROUPS[group]).index(name) * N_OUTPUTS
    return slice(first, first + N_OUTPUTS)


def error(found, wanted):
    """Root mean square, relative to the largest output."""
    return np.sqrt(np.mean((found - wanted) ** 2)) / np.abs(wanted).max()


def test_every_layer_of_the_table_is_converted():
    tested = {kind for cases in GROUPS.values() for case in cases.values() for kind in case.kinds}
    assert tested | SOLE == {name for name, row in TABLE.items() if row.becomes}


@pytest.mark.parametrize(("group", "name"), CASES)
def test_cases_hold_their_layers(group, name):
    case = GROUPS[group][name]
    assert set(case.kinds) <= set(random_models.kinds(layer_cases.model_of({name: case})))


@pytest.mark.parametrize(("group", "name"), CASES)
def test_rates_equal_keras(group, name):
    found, which = converted(group), outputs_of(group, name)
    wanted = found.wanted[:2, which]
    assert np.abs(found.rates[:, which] - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize(("group", "name"), CASES)
def test_spikes_converge_to_keras(group, name):
    """An error that falls as 1 / steps is 16 times smaller; measured from 7 to 40 times."""
    found, which = converted(group), outputs_of(group, name)
    for outputs in (found.spiking, found.events):
        early, late = (error(outputs[:, n - 1, which], found.wanted[:, which]) for n in STEPS)
        assert 0 < late < early / 5 and late < 0.03


@pytest.mark.parametrize("group", GROUPS)
def test_errors_fall_as_one_over_steps(group):
    """Geometric mean over the group's cases, which evens chance out."""
    found = converted(group)
    ratios = []
    for name in GROUPS[group]:
        which = outputs_of(group, name)
        early, late = (error(found.spiking[:, n - 1, which], found.wanted[:, which]) for n in STEPS)
        ratios.append(early / late)
    slope = -np.log(np.exp(np.mean(np.log(ratios)))) / np.log(STEPS[1] / STEPS[0])
    assert -1.15 < slope < -0.85


def graph_of_case(group, name):
    """The graph of one case alone, with a read-out that nothing else reaches."""
    graph = converted(group).network.graph
    *stages, read_out = graph.stages
    link = read_out.links[list(GROUPS[group]).index(name)]
    assert link.target.tolist() == list(range(*outputs_of(group, name).indices(10**6)))
    size = {"shape": link.target.shape, "bias": None, "start": None}
    links = (dataclasses.replace(link, target=None),)
    kept = [dataclasses.replace(read_out, links=links, **size)]
    for stage in reversed(stages):
        if any(stage.name == other.source for one in kept for other in one.links):
            kept.insert(0, stage)
    return dataclasses.replace(graph, stages=kept)


@pytest.mark.parametrize(("group", "name"), CASES)
def test_the_chip_takes_what_the_table_says(group, name):
    case = GROUPS[group][name]
    graph = graph_of_case(group, name)
    if case.chip:
        assert all("loihi" in TABLE[kind].engines for kind in case.kinds)
        assert len(chip_graph(graph, layers_on_host(graph)).stages) == len(graph.stages)
        return
    # never, or not everywhere
    assert all(TABLE[kind].chip for kind in case.kinds)
    with pytest.raises(EngineError, match=r"layer '.*; use |layer '.*; give "):
        chip_graph(graph, layers_on_host(graph))


def test_each_layer_that_the_chip_takes_has_a_case():
    taken = {
        kind
        for cases in GROUPS.values()
        for case in cases.values()
        for kind in case.kinds
        if case.chip
    }
    assert taken | SOLE - {"SigmaDelta"} == {
        name for name, row in TABLE.items() if row.becomes and "loihi" in row.engines
    }


def small_model(*activations, end=()):
    """Convolutions with the activation layers behind them, and a read-out."""
    layers = keras().layers
    inputs = x = keras().Input(layer_cases.SHAPE)
    for number, activation in enumerate(activations):
        x = activation(layers.Conv2D(4 + number, 3, name=f"conv{number}")(x))
    x = layers.Dense(N_OUTPUTS, name="out")(layers.Flatten()(x))
    for layer in end:
        x = layer(x)
    return random_models.randomised(keras().Model(inputs, x))


def test_clip_floor_keeps_its_ceiling():
    """Without its floor it is a clipped ReLU, which rates compute."""
    layers, x = keras().layers, samples()
    ceilings = (4.0, 12.0)
    model = small_model(*(clip_floor_layer()(4) for _ in ceilings))
    for layer in model.layers:
        if type(layer).__name__ == "ClipFloor":
            layer.ceiling.assign(ceilings[layer.input.shape[-1] - 4])
    clipped = small_model(*(layers.ReLU(ceiling) for ceiling in ceilings))
    clipped.set_weights([w for w in model.get_weights() if np.ndim(w)])
    network = convert(model, x, IF())
    wanted = clipped(x).numpy()
    assert network.spiking_layers == ["conv0", "conv1"]
    assert np.abs(rates_of(network, x[:1]) - wanted[:1]).max() <= 1e-5 * np.abs(wanted).max()
    assert np.abs(model(x).numpy() - wanted).max() > 1e-3 * np.abs(wanted).max()


def test_a_softmax_at_the_end_reads_the_logits():
    layers, x = keras().layers, samples()
    model = small_model(layers.ReLU(), end=[layers.Softmax()])
    logits = rates_of(convert(model, x, IF(percentile=100)), x)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.allclose(odds / odds.sum(axis=1, keepdims=True), model(x), atol=1e-5)


def test_neurons_that_are_there_stay():
    layers, x = keras().layers, samples()
    first = convert(small_model(layers.ReLU(), layers.ReLU()), x, IF(start=0.25))
    again = convert(first.ann, x)
    assert [type(layer).__name__ for layer in again.ann.layers].count("RateIF") == 2
    wanted = first.ann(x).numpy()
    assert np.abs(rates_of(again, x[:1]) - wanted[:1]).max() <= 1e-5 * np.abs(wanted).max()
    assert all((stage.start == 0.25).all() for stage in again.graph if stage.spikes)


@pytest.mark.parametrize("group", ["pooling and places", "graphs and scales"])
def test_lif_neurons_take_what_the_table_says(group):
    """The same cases but those that integrate-and-fire neurons have alone.

    Nengo's rates equal Keras with `RateLIF` layers, whose curve is only about that of a ReLU.
    """
    x = samples()
    cases = {
        name: case
        for name, case in GROUPS[group].items()
        if not set(case.kinds) & {"LeakyReLU"} and name not in IF_ALONE
    }
    model = layer_cases.model_of(cases)
    network = convert(model, x, LIF(max_rate=100.0, synapse=None, percentile=100))
    assert "RateLIF" in random_models.kinds(network.ann)
    wanted, rates = network.ann(x[:1]).numpy(), rates_of(network, x[:1])
    for number, name in enumerate(cases):
        which = slice(number * N_OUTPUTS, (number + 1) * N_OUTPUTS)
        top = np.abs(wanted[:, which]).max()
        assert np.abs(rates[:, which] - wanted[:, which]).max() <= 1e-4 * top, name


#: Cases with activations that LIF neurons have not.
IF_ALONE = ("relu_clipped", "relu_leaky", "activation_relu6")
