"""Graphs: Nengo and NengoDL against loops in numpy, synapses by brute force, what is no network."""

import dataclasses
import math

import nengo
import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
from nengo_tactile.errors import ConversionError, EngineError
from nengo_tactile.networks import nengo_network
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from nengo_tactile.networks.neurons import (
    LIF,
    IntegrateFire,
    Maximum,
    MaxPool,
    SigmaDelta,
    SpikeResponse,
    Sum,
)
from nengo_tactile.networks.stages import Graph, Link, Stage
from tests.support import step_loop

N_STEPS, SHAPE = 30, (4, 4, 2)


def dyadic(*shape, seed=0, zeros=0.3):
    """Multiples of 1/8, which float32 and float64 add up without rounding."""
    rng = np.random.default_rng(seed)
    return np.float32(rng.integers(-5, 7, shape) / 8 * (rng.random(shape) > zeros))


def dense(n_in, n_out, **settings):
    return Convolution.matrix_of(dyadic(n_in, n_out, **settings))


def graph_of(neuron, synapse=None, loops=True, axon=None, bias=1 / 4):
    """Convolution, loop, pooling, sums that two read, parts of maps, and a read-out."""
    late = {} if synapse is None else {"low_pass": synapse, "delay": 1}
    conv = Convolution(dyadic(3, 3, 2, 3), SHAPE, (4, 4, 3), padding=(1, 1))
    first = [Link("input", conv)]
    if loops:
        first.append(Link("first", dense(48, 48, seed=1, zeros=0.9), delay=1))
    pool = Pooling.of(np.float32(0.5), 2, (4, 4, 3), (2, 2, 3))
    slots = np.arange(48).reshape(2, 2, 2, 2, 3).transpose(0, 2, 4, 1, 3).reshape(-1)
    tenth = np.arange(10)
    return Graph(
        SHAPE,
        [
            Stage("first", (4, 4, 3), neuron, first, bias * dyadic(48), bias * dyadic(48), axon),
            Stage("pool", (2, 2, 3), MaxPool(4), [Link("first", Sparse.routing(slots, 48))]),
            Stage("sum", (12,), Sum(), [Link("first", pool, **late), Link("pool", dense(12, 12))]),
            Stage(
                "second",
                (14,),
                neuron,
                [
                    Link("sum", dense(12, 10, seed=2), tenth + 4),
                    Link("sum", Sparse.routing(tenth[::-1], 12, 0.5), tenth),
                    Link("input", dense(32, 14, seed=3)),
                ],
            ),
            Stage("out", (3,), Sum(), [Link("second", dense(14, 3, seed=4), **late)], dyadic(3)),
        ],
    )


GRAPHS = {
    "integrate": graph_of(IntegrateFire()),
    "to zero": graph_of(IntegrateFire(reset="zero"), loops=False),
    "leaky relu": graph_of(IntegrateFire(negative_slope=0.25), loops=False),
    "low-pass": graph_of(IntegrateFire(), synapse=4.0, loops=False),
    "current-based": graph_of(IntegrateFire(0.25, 0.125, 1.5, "zero"), axon=np.arange(48) % 5),
    "subtract": graph_of(IntegrateFire(0.25, 0.125, 1.5, "subtract")),
    "several": graph_of(IntegrateFire(threshold=0.5, spikes_per_step=3, floor=-0.25)),
    "whole": graph_of(IntegrateFire(0.25, 0.125, 1.5, "zero", whole=True)),
    "response": graph_of(SpikeResponse(3.0, 2.0, 1.5), axon=np.arange(48) % 3, bias=0),
    "changes": graph_of(SigmaDelta(0.5), loops=False),
}


def signal(n_samples=2):
    rng = np.random.default_rng(5)
    return np.float32(rng.random((n_samples, N_STEPS, *SHAPE)) < 0.2)


def in_nengo(graph, rows, simulator, **options):
    """Spikes of all stages and the read-out, {name: (n_steps, n)}, for one sample."""
    rows = rows.reshape(len(rows), -1)
    built = nengo_network.build(graph, 0.001, lambda t: rows[round(t / 0.001) - 1], **options)
    with stack.quiet_build(), simulator(built.net, dt=0.001, progress_bar=False) as sim:
        sim.run_steps(len(rows))
        found = {**built.spike_probes, graph.stages[-1].name: built.output_probe}
        return {
            name: np.array(sim.data[probe]).reshape(len(rows), -1) for name, probe in found.items()
        }


@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:(nengo|nengo_dl)\b")
@pytest.mark.parametrize("engine", ["nengo", "nengo-dl"])
@pytest.mark.parametrize("name", GRAPHS)
def test_nengo_is_the_loop_spike_by_spike(name, engine):
    graph, x = GRAPHS[name], signal()
    simulator = nengo.Simulator if engine == "nengo" else stack.nengo_dl().Simulator
    wanted = step_loop.run(graph, x)
    for sample in range(len(x) if engine == "nengo" else 1):
        for stage, values in in_nengo(graph, x[sample], simulator).items():
            np.testing.assert_allclose(values, wanted[stage][sample], atol=1e-5, err_msg=stage)
            assert np.abs(values).max() > 0.1
    counts = [np.count_nonzero(wanted[stage]) / wanted[stage].size for stage in ("first", "second")]
    assert all(0.01 < share < 0.95 for share in counts)


@pytest.mark.parametrize("name", GRAPHS)
def test_fan_out_by_following_each_neuron(name):
    graph = GRAPHS[name]
    found, wanted = graph.fan_out(), step_loop.fan_outs(graph)
    assert set(found) == set(wanted)
    for stage, counts in wanted.items():
        np.testing.assert_array_equal(found[stage], counts)
    # read as it is by the pooling and by the sum's windows, which twelve inputs leave
    assert found["first"].min() > 0 and found["out"].tolist() == [0, 0, 0]
    # each synapse leads into one stage
    parts = [graph.fan_out([stage.name]) for stage in graph]
    for name, counts in wanted.items():
        np.testing.assert_array_equal(sum(part[name] for part in parts), counts)


@pytest.mark.parametrize("name", GRAPHS)
def test_fan_out_into_some_stages_by_their_matrices(name):
    """Copies into what only adds up cost nothing."""
    graph = GRAPHS[name]
    for stage in graph:
        wanted = {other.name: 0 for other in graph} | {"input": 0}
        copied = not stage.spikes and stage is not graph.stages[-1]
        for link in (link for link in stage.links if link.map.weighted or not copied):
            wanted[link.source] = wanted[link.source] + (link.map.matrix() != 0).sum(axis=0).A1
        for source, counts in graph.fan_out([stage.name]).items():
            np.testing.assert_array_equal(counts, wanted[source])


def test_multiplications_of_a_model_by_its_shapes():
    """A padded convolution by a loop over places, dense layers by their sizes."""
    layers = stack.tensorflow().keras.layers
    model = stack.tensorflow().keras.Sequential(
        [
            layers.Conv2D(3, 3, padding="same", activation="relu", input_shape=(5, 4, 2)),
            layers.Flatten(),
            layers.Dense(6, "relu"),
            layers.Dense(2),
        ]
    )
    network = nt.convert(model, np.random.default_rng(0).random((4, 5, 4, 2)), nt.IF())
    inside = [
        (row + down, column + right)
        for row in range(5)
        for column in range(4)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        if 0 <= row + down < 5 and 0 <= column + right < 4
    ]
    wanted = len(inside) * 2 * 3 + 5 * 4 * 3 * 6 + 6 * 2
    assert network.ann_multiplications == network.graph.multiplications == wanted


def with_maxima():
    """Maxima of the image, also through a sum, beside spikes."""
    link = Link("input", Sparse.routing(np.arange(32).reshape(16, 2).ravel(), 32))
    return Graph(
        SHAPE,
        [
            Stage("top", (16,), Maximum(2), [link], dyadic(32)),
            Stage("twice", (16,), Sum(), [Link("top", dense(16, 16)), Link("top", dense(16, 16))]),
            Stage("one", (5,), IntegrateFire(), [Link("twice", dense(16, 5))], dyadic(5)),
            Stage("mixed", (5,), Sum(), [Link("one", dense(5, 5)), Link("top", dense(16, 5))]),
            Stage("two", (4,), IntegrateFire(), [Link("mixed", dense(5, 4))], dyadic(4)),
            Stage("three", (4,), IntegrateFire(), [Link("two", dense(4, 4))], dyadic(4)),
            Stage("out", (3,), Sum(), [Link("three", dense(4, 3)), Link("top", dense(16, 3))]),
        ],
    )


def test_what_the_input_does_by_itself():
    graph, x = with_maxima(), dyadic(3, *SHAPE, seed=7)
    assert graph.constant == {"input", "top", "twice"}
    assert graph.driven == {"top", "twice", "one", "mixed", "two", "out"}
    # neurons that never fire, by the loop
    mute = [
        dataclasses.replace(stage, neuron=IntegrateFire(threshold=1e30)) if stage.fires else stage
        for stage in graph
    ]
    read = [  # what arrives, read by a sum of its own
        Stage(f"{stage.name} read", (stage.n_inputs,), Sum(), stage.links, stage.bias)
        for stage in graph
    ]
    wanted = step_loop.shown(dataclasses.replace(graph, stages=[*mute, *read]), x, 2)
    for name, arrived in graph.silent(x).items():
        expected = wanted[f"{name} read"][:, -1]
        np.testing.assert_array_equal(np.broadcast_to(arrived, expected.shape), expected)
        assert len(arrived) == (len(x) if name in graph.driven else 1)


def test_the_varying_part_with_constant_currents_is_the_whole():
    graph, x = with_maxima(), dyadic(3, *SHAPE, seed=7)
    part, silent = graph.varying(), graph.silent(x)
    assert [stage.name for stage in part] == ["one", "mixed", "two", "three", "out"]
    whole = step_loop.shown(graph, x, N_STEPS)
    for sample in range(len(x)):
        driven = [
            dataclasses.replace(stage, bias=silent[stage.name][sample])
            if stage.name in graph.driven and stage.fires
            else stage
            for stage in part
        ]
        again = dataclasses.replace(part, stages=driven)
        found = step_loop.shown(again, x[sample : sample + 1], N_STEPS)
        for name in ("one", "two", "three"):
            np.testing.assert_array_equal(found[name][0], whole[name][sample])
            assert 0 < found[name].mean() < 1
        outputs = found["out"][0] + silent["out"][sample]
        np.testing.assert_allclose(outputs, whole["out"][sample], atol=1e-12)


def one(**change):
    """A stage of three neurons that reads two inputs, and a read-out."""
    settings = {"name": "one", "shape": (3,), "neuron": IntegrateFire()}
    settings |= {"links": [Link("input", dense(2, 3))]}
    last = Stage("out", (2,), Sum(), [Link("one", dense(3, 2))])
    return Graph((2,), [Stage(**{**settings, **change}), last])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "input"}, "give each its own name, none 'input'"),
        ({"name": "out"}, "give each its own name"),
        ({"bias": np.ones(4)}, r"'one': its bias has shape \(4,\).*give 3 numbers"),
        ({"start": np.full(3, np.nan)}, "its start has .* and 3 values that are not finite"),
        ({"step_bias": np.ones((4, 2))}, r"its step_bias has shape \(4, 2\) and 0"),
        ({"step_bias": np.ones(3)}, r"its step_bias has shape \(3,\)"),
        ({"step_bias": np.full((1, 3), np.nan)}, "its step_bias has .* and 3 values"),
        ({"neuron": Sum(), "step_bias": np.ones((1, 3))}, "no neurons of its own and a step_bias"),
        ({"axon": np.zeros(2, int)}, r"its axon is int64 of shape \(2,\).*3 integers from 0"),
        ({"axon": np.ones(3)}, "its axon is float64"),
        ({"axon": np.arange(3) - 1}, "its axon is .* from -1"),
        ({"links": [Link("nowhere", dense(2, 3))]}, "it reads 'nowhere', which is no stage"),
        ({"links": [Link("input", dense(5, 3))]}, "its map from 'input' reads 5 values.*sends 2"),
        ({"links": [Link("input", dense(2, 4))]}, "has 4 outputs for 3 inputs"),
        (
            {"links": [Link("input", dense(2, 2), np.array([1, 3]))]},
            "has 2 outputs for 2 inputs from 1 to 3: it has 3",
        ),
        ({"links": [Link("one", dense(3, 3))]}, "its delay from 'one' is 0.*from 1"),
        ({"links": [Link("input", dense(2, 3), delay=-1)]}, "its delay from 'input' is -1"),
        ({"links": [Link("input", dense(2, 3), delay=0.5)]}, "is 0.5: give whole steps"),
        ({"links": [Link("input", dense(2, 3), low_pass=-2.0)]}, "its low_pass from 'input'"),
        (
            {"links": [Link("input", Convolution.matrix_of(np.full((2, 3), np.inf)))]},
            "6 of its 6 weights from 'input' are not finite",
        ),
    ],
)
def test_what_is_no_network(change, message):
    with pytest.raises(ConversionError, match=message):
        one(**change)


def test_no_stages():
    with pytest.raises(ConversionError, match="no stages"):
        Graph((2,), [])


@pytest.mark.parametrize(
    ("neuron", "settings", "message"),
    [
        (IntegrateFire, {"threshold": 0.0}, "threshold is 0.0"),
        (IntegrateFire, {"voltage_decay": 1.5}, "voltage_decay is 1.5: give a share from 0 to 1"),
        (IntegrateFire, {"negative_slope": -0.1}, "negative_slope is -0.1"),
        (IntegrateFire, {"reset": "half"}, "reset is 'half'"),
        (IntegrateFire, {"reset": "zero", "negative_slope": 0.5}, ".*'zero' for spikes of one"),
        (IntegrateFire, {"floor": 0.5}, "floor is 0.5: give a number up to zero"),
        (LIF, {"tau_rc": 0.0}, "tau_rc is 0.0"),
        (LIF, {"tau_rc": 1.0, "floor": 0.5}, "floor is 0.5"),
        (SpikeResponse, {"tau_s": math.inf}, "tau_s is inf"),
        (SpikeResponse, {"refractory": math.nan}, "refractory is nan"),
        (SigmaDelta, {"threshold": -1.0}, "threshold is -1.0"),
        (MaxPool, {"window": 0}, "window is 0"),
        (Sum, {"decay": 1.1}, "decay is 1.1"),
    ],
)
def test_neurons_out_of_range(neuron, settings, message):
    with pytest.raises(ConversionError, match=f"{neuron.__name__}: {message}"):
        neuron(**settings)


@pytest.mark.parametrize(
    "change",
    [
        {"neuron": IntegrateFire(threshold=2.0, signed=True)},
        {"neuron": IntegrateFire(0.5, 0.5, negative_slope=0.5)},
        {"neuron": SpikeResponse(), "links": [Link("input", dense(2, 3), None, 3.0, 1)]},
        {"neuron": SpikeResponse(), "bias": np.ones(3)},
    ],
)
def test_neurons_that_nengo_has_not(change):
    with pytest.raises(EngineError, match="stage 'one': "):
        nengo_network.build(one(**change))


def test_synapses_that_nengo_has_not():
    with pytest.raises(EngineError, match=r"'one': its link from 'input' has a low-pass and no"):
        nengo_network.build(one(links=[Link("input", dense(2, 3), low_pass=3.0)]))
