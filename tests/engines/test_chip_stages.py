"""Convolutions as nengo-loihi lays them out, against Keras."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion.mapping import linear_map
from nengo_tactile.engines.chip_stages import check_stage, chip_graph
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.linear_maps import Convolution, Sparse
from nengo_tactile.networks.neurons import IntegrateFire, Sum
from nengo_tactile.networks.stages import Graph, Link, Stage
from tests.support.passes import plain_layer


def matrix_on_chip(transform):
    """(n_in, n_out) weights, read from nengo-loihi's axons, weights and indices."""
    from nengo_loihi.conv import conv2d_loihi_weights

    weights, indices, axon_to_weights, offsets = conv2d_loihi_weights(transform)
    channels = transform.input_shape.n_channels
    matrix = np.zeros((transform.input_shape.size, transform.output_shape.size))
    for axon in np.flatnonzero(offsets >= 0):
        kind = axon_to_weights[axon]
        for channel in range(channels):
            row = matrix[axon * channels + channel]
            np.add.at(row, offsets[axon] + indices[kind][channel], weights[kind][channel])
    return matrix


def graph_with(link, shape):
    n_in, n_out = link.map.n_in, link.map.n_out
    before = Stage("before", shape, IntegrateFire(), ())
    after = Stage("after", (n_out,), IntegrateFire(), (link,))
    last = Stage("last", (1,), Sum(), (Link("after", Convolution.matrix_of(np.ones((n_out, 1)))),))
    return Graph((n_in,), [before, after, last])


def made(kind, shape, **options):
    """A Keras layer with random weights, its map, and its matrix by probing."""
    layer = getattr(stack.tensorflow().keras.layers, kind)(use_bias=False, **options)
    n = int(np.prod(shape))
    pixels = np.eye(n, dtype=np.float32).reshape(n, *shape)
    layer(pixels)
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    response = layer(pixels).numpy()
    return linear_map(plain_layer(layer, shape)), response.reshape(n, -1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("transpose", ["", "Transpose"])
@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 3)])
def test_weights_on_the_chip_are_keras(shape, transpose, strides, padding):
    stack.nengo_loihi()
    kind = f"Conv{len(shape) - 1}D{transpose}"
    found, wanted = made(kind, shape, filters=2, kernel_size=3, strides=strides, padding=padding)
    graph = graph_with(Link("before", found), shape)
    if transpose and strides > 1 and padding == "same":
        with pytest.raises(EngineError, match=r"'after' .*padding is 'same'.*use padding='valid'"):
            chip_graph(graph, ())
        if len(shape) == 3:  # what the refusal is for
            assert np.abs(matrix_on_chip(found.transform()) - wanted).max() > 0.1
        return
    link = chip_graph(graph, ()).stages[1].links[0]
    assert np.abs(matrix_on_chip(link.map.transform()) - wanted).max() < 1e-6


def test_shortcuts_are_convolutions_of_one_pixel():
    stack.nengo_loihi()
    shape = (4, 3, 2)
    link = Link("before", Sparse.routing(None, 24, 0.5))
    found = chip_graph(graph_with(link, shape), ()).stages[1].links[0].map
    assert found.kernel.shape == (1, 1, 2, 2)
    assert (matrix_on_chip(found.scaled(2.0).transform()) == np.eye(24)).all()


def test_currents_of_single_steps_are_refused():
    links = [Link("input", Convolution.matrix_of(np.ones((2, 3))))]
    stage = Stage("one", (3,), IntegrateFire(), links, step_bias=np.ones((4, 3)))
    with pytest.raises(EngineError, match=r"'one': has currents .*correction='bias'"):
        check_stage(stage)


@pytest.mark.parametrize(
    "kind", [{"negative_slope": 0.3}, {"signed": True}, {"spikes_per_step": 2}]
)
def test_spikes_of_other_worth_are_not_sent_to_the_chip(kind):
    """nengo-loihi would take each as one, negative ones too."""
    first = Stage("first", (3,), IntegrateFire(**kind), [Link("input", Sparse.routing(None, 3))])
    second = Stage("second", (3,), IntegrateFire(), [Link("first", Sparse.routing(None, 3))])
    last = Stage("last", (1,), Sum(), [Link("second", Convolution.matrix_of(np.ones((3, 1))))])
    graph = Graph((3,), [first, second, last])
    with pytest.raises(EngineError, match=r"'first' is on the host and 'second' on the chip.*ReLU"):
        chip_graph(graph, ("first",))
