"""Linear maps against the matrices of the Keras layers that they come from, got by probing."""

import nengo
import numpy as np
import pytest
from random_models import keras

from nengo_tactile import stack
from nengo_tactile.conversion import linear_maps as maps
from nengo_tactile.conversion.mapping import linear_map, routing_indices
from nengo_tactile.errors import ConversionError

IMAGE, SEQUENCE = (5, 4, 2), (9, 2)

#: {name: (maker, shape of the input)}
LINEAR = {
    "dense": (lambda la: la.Dense(3), (7,)),
    "dense on sequences": (lambda la: la.Dense(3), SEQUENCE),
    "dense on images": (lambda la: la.Dense(3), IMAGE),
    "conv": (lambda la: la.Conv2D(3, (2, 3)), IMAGE),
    "conv strided": (lambda la: la.Conv2D(3, 2, (2, 1), "same"), IMAGE),
    "conv strided valid": (lambda la: la.Conv2D(3, (3, 1), 2), IMAGE),
    "conv dilated": (lambda la: la.Conv2D(3, 2, padding="same", dilation_rate=(3, 2)), IMAGE),
    "conv groups": (lambda la: la.Conv2D(4, 2, groups=2), IMAGE),
    "conv1": (lambda la: la.Conv1D(3, 3, 2), SEQUENCE),
    "conv1 dilated groups": (
        lambda la: la.Conv1D(2, 2, padding="same", dilation_rate=3, groups=2),
        SEQUENCE,
    ),
    "depthwise": (lambda la: la.DepthwiseConv2D(3, 2, "same", depth_multiplier=2), IMAGE),
    "depthwise dilated": (lambda la: la.DepthwiseConv2D(2, dilation_rate=2), IMAGE),
    "depthwise1": (lambda la: la.DepthwiseConv1D(3, 2, "same"), SEQUENCE),
    "shortcut": (lambda la: la.DepthwiseConv2D(1), IMAGE),
    "shortcut strided": (lambda la: la.DepthwiseConv2D(1, 2), IMAGE),
    "transposed": (lambda la: la.Conv2DTranspose(3, 2), IMAGE),
    "transposed same": (lambda la: la.Conv2DTranspose(3, 3, 2, "same"), IMAGE),
    "transposed apart": (lambda la: la.Conv2DTranspose(3, 2, 3), IMAGE),
    "transposed1": (lambda la: la.Conv1DTranspose(3, 3, 2, "same"), SEQUENCE),
    "average": (lambda la: la.AveragePooling2D((2, 3), (1, 2)), IMAGE),
    "average same": (lambda la: la.AveragePooling2D(3, 2, "same"), IMAGE),
    "average1": (lambda la: la.AveragePooling1D(2, 3, "same"), SEQUENCE),
    "global average": (lambda la: la.GlobalAveragePooling2D(), IMAGE),
    "global average1": (lambda la: la.GlobalAveragePooling1D(), SEQUENCE),
    "bilinear": (lambda la: la.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "rescaling": (lambda la: la.Rescaling([0.5, -2.0], offset=1.0), IMAGE),
}
#: Layers that copy values.
ROUTING = {
    "cropping": (lambda la: la.Cropping2D(((1, 0), (0, 2))), IMAGE),
    "cropping1": (lambda la: la.Cropping1D((2, 1)), SEQUENCE),
    "upsampling": (lambda la: la.UpSampling2D((2, 3)), IMAGE),
    "upsampling1": (lambda la: la.UpSampling1D(2), SEQUENCE),
    "permute": (lambda la: la.Permute((3, 1, 2)), IMAGE),
}


def made(name):
    """A map, and the layer's matrix (n_out, n_in) by probing: its constants are left out."""
    make, shape = {**LINEAR, **ROUTING}[name]
    layer = make(keras().layers)
    n = int(np.prod(shape))
    pixels = np.eye(n, dtype=np.float32).reshape(n, *shape)
    layer(pixels)
    rng = np.random.default_rng(len(name))
    # some weights are zero, which is no synapse
    layer.set_weights(
        [rng.normal(size=w.shape) * (rng.random(w.shape) < 0.8) for w in layer.get_weights()]
    )
    constant = layer(np.zeros_like(pixels[:1])).numpy()
    response = layer(pixels).numpy()
    matrix = (response - constant).reshape(n, -1).T
    if name in ROUTING:
        return maps.Routing(routing_indices(layer, shape), n), matrix
    return linear_map(layer, shape, response.shape[1:]), matrix


@pytest.fixture(scope="module")
def in_nengo():
    """What Nengo computes for each map with gain 3, {name: (n_out, n_in) array}, in one run."""
    with nengo.Network(seed=0) as net:
        probes = {}
        for name in (*LINEAR, *ROUTING):
            found, matrix = made(name)
            pixels = np.eye(found.n_in)
            source = nengo.Node(lambda t, p=pixels: p[(round(t / 0.001) - 1) % len(p)])
            target = nengo.Node(size_in=len(matrix))
            indices = getattr(found, "indices", None)
            nengo.Connection(
                source if indices is None else source[indices],
                target,
                transform=found.transform(3.0),
                synapse=None,
            )
            probes[name] = nengo.Probe(target), found.n_in
    with stack.quiet_build(), nengo.Simulator(net, progress_bar=False, optimize=False) as sim:
        sim.run_steps(max(n for _, n in probes.values()))
    return {name: sim.data[probe][:n].T for name, (probe, n) in probes.items()}


@pytest.mark.parametrize("name", [*LINEAR, *ROUTING])
def test_nengo_computes_what_keras_does(in_nengo, name):
    found, matrix = made(name)
    assert found.n_in == matrix.shape[1]
    assert np.abs(in_nengo[name] - 3 * matrix).max() <= 1e-6 * np.abs(matrix).max()


@pytest.mark.parametrize("name", [*LINEAR, *ROUTING])
def test_fan_out_counts_the_entries_of_the_matrix(name):
    found, matrix = made(name)
    reached = np.random.default_rng(1).integers(0, 5, len(matrix))
    counts = found.fan_out(reached)
    assert counts.dtype.kind == "i" and counts.tolist() == ((matrix != 0).T @ reached).tolist()
    assert found.weighted == (name in LINEAR)


@pytest.mark.parametrize("name", [*LINEAR, *ROUTING])
def test_a_scaled_map_has_the_factor_in_its_weights(name):
    found, _ = made(name)
    for attribute in ("kernel", "weights", "matrix", "factor"):
        if hasattr(found, attribute):
            scaled = getattr(found.scaled(-0.5), attribute) - -0.5 * getattr(found, attribute)
            assert abs(scaled).max() == 0 if hasattr(scaled, "max") else scaled == 0
            return
    raise AssertionError("no weights")


def test_kinds_of_maps():
    kinds = {name: type(made(name)[0]).__name__ for name in LINEAR}
    assert kinds["dense"] == "Dense" and kinds["dense on images"] == "Convolution"
    assert kinds["shortcut"] == kinds["rescaling"] == "Diagonal"
    assert kinds["shortcut strided"] == "Convolution"
    assert kinds["transposed"] == "TransposedConvolution"
    assert kinds["average same"] == kinds["bilinear"] == "Sparse"


def test_one_weight_for_all_is_a_number():
    weights = np.full(40, 0.25, np.float32)
    assert np.ndim(maps.Diagonal(weights, IMAGE).transform(2.0)) == 0
    assert np.ndim(maps.Diagonal(weights * np.arange(40), IMAGE).transform(2.0)) == 1


def test_routing_of_more_values_than_a_digit_holds():
    """Indices are read off the layer's output in two digits of 4096."""
    shape = (75, 71, 1)
    found = routing_indices(keras().layers.Permute((2, 1, 3)), shape)
    wanted = np.arange(75 * 71).reshape(75, 71).T.ravel()
    assert (found == wanted).all()


def test_pooling_of_more_pixels_than_are_probed_at_once():
    shape = (40, 30, 2)
    layer = keras().layers.AveragePooling2D(4)
    matrix = maps.channelwise_matrix(layer, shape)
    x = np.random.default_rng(0).random(shape, np.float32)
    assert matrix.shape == (10 * 7 * 2, 2400)
    assert np.allclose(matrix @ x.ravel(), layer(x[None]).numpy().ravel(), atol=1e-6)


def test_layers_that_are_not_linear():
    layer = keras().layers.LayerNormalization(name="norm")
    with pytest.raises(ConversionError, match=r"'norm' \(LayerNormalization\): is no linear layer"):
        linear_map(layer, IMAGE, IMAGE)
