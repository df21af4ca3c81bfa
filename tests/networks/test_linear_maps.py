"""Linear maps against the matrices of the Keras layers that they come from, got by probing."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.conversion.mapping import channelwise_matrix, linear_map, routing_indices
from nengo_tactile.errors import ConversionError
from nengo_tactile.networks.linear_maps import Convolution, Pooling, Sparse
from tests.support.passes import plain_layer
from tests.support.random_models import keras

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
        return Sparse.routing(routing_indices(plain_layer(layer, shape)), n), matrix
    return linear_map(plain_layer(layer, shape)), matrix


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
            nengo.Connection(
                source if found.indices is None else source[found.indices],
                target,
                transform=found.scaled(3.0).transform(),
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
def test_both_directions_are_the_matrix(name):
    found, matrix = made(name)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(3, found.n_in)), rng.normal(size=(2, found.n_out))
    top = np.abs(matrix).sum()
    assert np.abs(found.forward(x) - x @ matrix.T).max() <= 1e-6 * top
    assert np.abs(found.backward(y) - y @ matrix).max() <= 1e-6 * top
    assert np.abs(found.matrix() - matrix).max() <= 1e-6 * np.abs(matrix).max()
    assert np.allclose(found.largest(), found.matrix().toarray().__abs__().max(axis=1)) or (
        found.n_axes  # a convolution's is the channel's, also where a border has none
        and (found.largest() >= abs(found.matrix()).max(axis=1).toarray().ravel()).all()
    )


@pytest.mark.parametrize("name", [*LINEAR, *ROUTING])
def test_outputs_times_factors(name):
    found, _ = made(name)
    channels = found.output_shape[-1] if found.n_axes else found.n_out
    factors = np.tile(np.arange(1.0, channels + 1), found.n_out // channels)
    scaled = found.outputs_scaled(factors).scaled(-0.5).matrix().toarray()
    assert np.allclose(scaled, -0.5 * factors[:, None] * found.matrix().toarray(), rtol=1e-6)


def test_kinds_of_maps():
    found = {name: made(name)[0] for name in (*LINEAR, *ROUTING)}
    sparse = {name for name, one in found.items() if isinstance(one, Sparse)}
    assert sparse == {n for n in found if n.startswith(("average", "global", "bi"))} | {*ROUTING}
    assert {name for name, one in found.items() if one.dense} == {"dense"}
    assert {n for n, one in found.items() if one.diagonal is not None} == {"shortcut", "rescaling"}
    assert {name for name, one in found.items() if one.indices is not None} == {*ROUTING}
    words = {name: one.padding_word() for name, one in found.items() if one.n_axes}
    assert all(words[name] == "same" for name in words if "same" in name) and all(words.values())


def test_one_weight_for_all_is_a_number():
    weights = np.full(40, 0.25, np.float32)
    assert np.ndim(Convolution.diagonal_of(weights).transform()) == 0
    assert np.ndim(Convolution.diagonal_of(weights * np.arange(40)).transform()) == 1
    assert np.ndim(Sparse.routing(None, 40, 0.5).transform()) == 0


def by_hand(kernel, n_in, n_out, stride, padding, dilation, groups, transposed):
    """The matrix of a convolution over one axis, weight by weight, (n_out, n_in)."""
    side, inputs, filters = kernel.shape
    matrix = np.zeros((n_out, filters, n_in, inputs * groups))
    for k in range(side):
        for step in range(n_in if transposed else n_out):
            place = step * stride + k * dilation - padding
            o, i = (place, step) if transposed else (step, place)
            if 0 <= o < n_out and 0 <= i < n_in:
                for f in range(filters):
                    first = f // (filters // groups) * inputs
                    matrix[o, f, i, first : first + inputs] += kernel[k, :, f]
    return matrix.reshape(n_out * filters, -1)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "n_out"),
    [(1, 0, 1, 1, 5), (2, 1, 2, 2, 4), (3, 2, 1, 2, 9), (1, 5, 3, 1, 3), (2, 0, 1, 4, 2)],
)
def test_paddings_that_keras_has_no_word_for(stride, padding, dilation, groups, n_out, transposed):
    """As PyTorch, NIR and lava-dl have them: any number of zeros in front, any size behind."""
    rng = np.random.default_rng(stride)
    kernel = rng.normal(size=(3, 4 // groups, 8)).astype(np.float32)
    settings = (stride,), (padding,), (dilation,), groups, transposed
    found = Convolution(kernel, (7, 4), (n_out, 8), *settings)
    matrix = by_hand(kernel, 7, n_out, stride, padding, dilation, groups, transposed)
    assert np.array_equal(found.matrix().toarray(), matrix)
    assert np.allclose(found.forward(np.eye(28)).T, matrix, atol=1e-6)
    assert np.allclose(found.plain().forward(np.eye(28)).T, matrix, atol=1e-6)
    assert found.fan_out(np.arange(8 * n_out)).tolist() == (
        ((matrix != 0).T @ np.arange(8 * n_out)).tolist()
    )
    if found.padding_word() is None:  # Nengo gets a matrix
        assert np.array_equal(found.transform().sample().toarray(), matrix)


def test_pooling_leaves_out_what_fills_no_window():
    found = Pooling.of(np.float32(0.5), 2, (5, 4, 3), (2, 2, 3))
    x = np.random.default_rng(0).random((2, 5, 4, 3))
    windows = x[:, :4].reshape(2, 2, 2, 2, 2, 3).sum(axis=(2, 4))
    assert found.pools and np.allclose(
        found.forward(x.reshape(2, -1)), 0.5 * windows.reshape(2, -1)
    )
    assert np.array_equal(found.transform().sample().toarray(), found.matrix().toarray())


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        (
            (3, 2, 4),
            {"input_shape": (5, 3)},
            r"kernel of shape \(3, 2, 4\) in 1 groups.*\(3, 3, 4\)",
        ),
        ((3, 2, 4), {"groups": 3}, "in 3 groups"),
        ((3, 2, 4), {"output_shape": (3, 1, 4)}, "does not fit"),
        ((3, 2, 4), {"strides": (0,)}, r"strides \(0,\): give a whole number from 1"),
        ((3, 2, 4), {"padding": (0, 0)}, "each of its 1 axes"),
        ((0, 2, 4), {}, "does not fit"),
    ],
)
def test_kernels_that_do_not_fit(shape, settings, message):
    with pytest.raises(ConversionError, match=message):
        Convolution(np.ones(shape), **{"input_shape": (5, 2), "output_shape": (3, 4), **settings})


def test_routing_of_more_values_than_a_digit_holds():
    """Indices are read off the layer's output in two digits of 4096."""
    shape = (75, 71, 1)
    found = routing_indices(plain_layer(keras().layers.Permute((2, 1, 3)), shape))
    wanted = np.arange(75 * 71).reshape(75, 71).T.ravel()
    assert (found == wanted).all()


def test_pooling_of_more_pixels_than_are_probed_at_once():
    shape = (40, 30, 2)
    layer = keras().layers.AveragePooling2D(4)
    matrix = channelwise_matrix(plain_layer(layer, shape))
    x = np.random.default_rng(0).random(shape, np.float32)
    assert matrix.shape == (10 * 7 * 2, 2400)
    assert np.allclose(matrix @ x.ravel(), layer(x[None]).numpy().ravel(), atol=1e-6)


def test_layers_that_are_not_linear():
    layer = keras().layers.LayerNormalization(name="norm")
    with pytest.raises(ConversionError, match=r"'norm' \(LayerNormalization\): is no linear layer"):
        linear_map(plain_layer(layer, IMAGE))
