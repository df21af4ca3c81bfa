"""Changing units leaves what a layer computes as it is."""

import numpy as np
import pytest

from nengo_tactile.ann.layers import Layers, input_layer
from nengo_tactile.conversion.rescaling import per_channel, rescale, rescaled_weights
from tests.support.passes import plain_layer
from tests.support.random_models import layers


def test_per_channel_only_if_every_position_is_the_same():
    unit = np.broadcast_to(np.array([1.0, 2.0, 3.0]), (4, 5, 3)).copy()
    assert per_channel(unit).tolist() == [1, 2, 3]
    unit[3, 4, 1] = 2.5
    assert per_channel(unit) is None
    assert per_channel(np.arange(4)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers().Dense(6), (4,)),
        (lambda: layers().Conv1D(6, 2), (5, 4)),
        (lambda: layers().Conv2D(6, 2, groups=2), (5, 5, 4)),
        (lambda: layers().Conv2D(2, 2, use_bias=False), (3, 3, 2)),
        (lambda: layers().Conv2DTranspose(6, 2), (5, 5, 4)),
        (lambda: layers().Conv1DTranspose(3, 2), (3, 2)),
        (lambda: layers().DepthwiseConv1D(2, depth_multiplier=3), (5, 4)),
        (lambda: layers().DepthwiseConv2D(2, depth_multiplier=3), (5, 5, 4)),
        (lambda: layers().SeparableConv2D(6, 2, depth_multiplier=2), (5, 5, 4)),
    ],
)
def test_a_layer_in_other_units(layer, shape, rng):
    layer = layer()
    x = rng.normal(size=(2, *shape)).astype(np.float32)
    layer(x)  # makes its weights
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    wanted = layer(x).numpy()
    unit_in, unit_out = (2.0 ** rng.uniform(-2, 2, n) for n in (shape[-1], wanted.shape[-1]))
    old = layer.get_weights()
    plain = plain_layer(layer, shape)
    layer.set_weights(rescaled_weights(plain, unit_in, unit_out))
    found = layer((x / unit_in).astype(np.float32)).numpy() * unit_out
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    kept = rescaled_weights(plain, None, unit_out)
    assert all(np.array_equal(a, b) for a, b in zip(kept[: len(old) - 1], old[: len(old) - 1]))
    if layer.use_bias:
        assert np.allclose(kept[-1], old[-1] / unit_out)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 2, 4), (2, 3, 2, 4)])
@pytest.mark.parametrize("same", [True, False])
def test_rescale_multiplies(shape, same, rng):
    factor = rng.random(shape[-1:] if same else shape) + 0.5
    inputs = input_layer("x", shape)
    made = rescale(inputs, np.broadcast_to(factor, shape), "factor")
    model = Layers("scaled", (inputs, *made), made[-1].name)
    x = rng.normal(size=(3, *shape)).astype(np.float32)
    assert model.output_shape == shape
    assert np.allclose(model.outputs(x), x * factor, rtol=1e-5)
    kernel = model["factor"].weights[0]
    assert kernel.size == factor.size  # one weight per channel where that is enough
