"""ResNets: sizes of the literature, and the function against a plain loop."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.residual import WIDTHS, plain, resnet, standardise
from nengo_tactile.errors import DataError, NotationError


def convolved(channels_in, channels_out, size):
    """Weights of a convolution, and scale, offset, mean and variance of its normalisation."""
    return size * size * channels_in * channels_out + 4 * channels_out


def n_parameters(depth, channels, n_classes, shortcuts):
    blocks = (depth - 2) // 6
    total = convolved(channels, 16, 3)
    before = 16
    for width in (16, 32, 64):
        total += convolved(before, width, 3) + (2 * blocks - 1) * convolved(width, width, 3)
        if shortcuts and width != before:
            total += convolved(before, width, 1)
        before = width
    return total + 64 * n_classes + n_classes


# He et al. 2016, table 6, in millions (with shortcuts that have no weights)
@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_parameter_counts_of_the_literature(depth, millions):
    model, stacked = resnet(depth), plain(depth)
    assert model.count_params() == n_parameters(depth, 3, 10, True)
    assert stacked.count_params() == n_parameters(depth, 3, 10, False)
    for network in (model, stacked):
        weights = [w for w in network.trainable_variables if w.shape.rank > 1]
        layers = [w for w in weights if "shortcut" not in w.name]
        assert len(layers) == depth
        digits = 1 if millions > 1 else 2
        trainable = sum(int(np.prod(w.shape)) for w in network.trainable_variables)
        assert trainable / 1e6 == pytest.approx(millions, abs=1.1 * 10**-digits)
    assert stacked.count_params() / 1e6 == pytest.approx(millions, abs=0.04 * millions)


def test_resnet_8_for_mnist():
    model = resnet(8, (28, 28, 1))
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)
    assert model.count_params() == n_parameters(8, 1, 10, True)
    shapes = [model.get_layer(f"block{g}_1_relu2").output_shape for g in (1, 2, 3)]
    assert shapes == [(None, 28, 28, 16), (None, 14, 14, 32), (None, 7, 7, 64)]
    assert WIDTHS == (16, 32, 64)


def test_initial_weights_are_hes():
    """Normal, cut at two standard deviations, variance 2 / fan-in (He et al. 2015)."""
    model = resnet(20, seed=3)
    for name in ("block3_2_conv1", "block2_1_shortcut", "block1_3_conv2"):
        kernel = model.get_layer(name).get_weights()[0]
        fan_in = kernel[..., 0].size
        assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.1)
        assert abs(kernel.mean()) < 4 * kernel.std() / np.sqrt(kernel.size)
    again, other = resnet(20, seed=3), resnet(20, seed=4)
    pairs = [m.get_layer("conv0").get_weights()[0] for m in (model, again, other)]
    assert (pairs[0] == pairs[1]).all() and (pairs[0] != pairs[2]).any()
    kernels = [w.numpy().ravel()[:5].tolist() for w in model.weights if w.shape.rank > 1]
    assert len({tuple(k) for k in kernels}) == len(kernels)  # a seed for each


def convolve(x, kernel, stride):
    """One image, zeros around it so that the output is ceil(side / stride) wide."""
    side, size = x.shape[0], len(kernel)
    out = -(-side // stride)
    missing = max((out - 1) * stride + size - side, 0)
    padded = np.pad(x, ((missing // 2, missing - missing // 2),) * 2 + ((0, 0),))
    result = np.zeros((out, out, kernel.shape[-1]))
    for row in range(out):
        for column in range(out):
            window = padded[row * stride :, column * stride :][:size, :size]
            result[row, column] = np.tensordot(window, kernel, 3)
    return result


@pytest.mark.parametrize("build", [resnet, plain])
def test_the_function_equals_a_loop(build, rng):
    tf = stack.tensorflow()
    scale, offset = [0.5, 0.25, 2.0], [-1.0, 0.0, 0.5]
    model = build(6, (7, 7, 3), 4, seed=1, rescale=(scale, offset), widths=(3, 5))
    model.set_weights([np.abs(rng.normal(0.3, 0.5, w.shape)) + 0.1 for w in model.get_weights()])
    image = rng.normal(size=(7, 7, 3))

    def weights(name):
        return model.get_layer(name).get_weights()

    def normalised(x, name, stride=1):
        gamma, beta, mean, variance = weights(f"{name}_norm")
        x = convolve(x, weights(name)[0], stride)
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    x = np.maximum(normalised(image * scale + offset, "conv0"), 0)
    for name, stride in (("block1_1", 1), ("block2_1", 2)):
        inner = np.maximum(normalised(x, f"{name}_conv1", stride), 0)
        inner = normalised(inner, f"{name}_conv2")
        if build is resnet:
            inner += normalised(x, f"{name}_shortcut", 2) if stride == 2 else x
        x = np.maximum(inner, 0)
    kernel, bias = weights("logits")
    wanted = x.mean(axis=(0, 1)) @ kernel + bias
    found = model(tf.constant(image[None], tf.float32)).numpy()[0]
    assert np.allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("depth", [2, 0, -4, 21, 19])
@pytest.mark.parametrize("build", [resnet, plain])
def test_impossible_depths_are_refused(build, depth):
    with pytest.raises(NotationError, match=rf"depth is {depth}; with 3 widths .* 8, 20, 32"):
        build(depth)


@pytest.mark.parametrize("widths", [(), (16, 0), (16, 2.5), (-1,)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(NotationError, match="widths are"):
        resnet(8, widths=widths)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_standardised_images_have_mean_0_and_deviation_1(rng, dtype):
    images = (rng.integers(0, 200, (2100, 3, 4, 2)) * [1, 0.5] + [3, 40]).astype(dtype)
    scale, offset = standardise(images)
    values = images.astype(float) * scale + offset
    assert np.allclose(values.mean(axis=(0, 1, 2)), 0, atol=1e-9)
    assert np.allclose(values.std(axis=(0, 1, 2)), 1, atol=1e-9)


def test_images_that_cannot_be_standardised_are_refused(rng):
    images = rng.random((5, 3, 3, 2))
    images[..., 1] = 0.5
    with pytest.raises(DataError, match="channel 1 has standard deviation 0"):
        standardise(images)
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="channel 0 has standard deviation nan"):
        standardise(images)
    for shape in ((5, 3, 3), (0, 3, 3, 1)):
        with pytest.raises(DataError, match="at least one image"):
            standardise(np.zeros(shape))


def test_standardisation_repeats_numpy_to_the_last_digit(rng):
    """Checkpoints of CIFAR-10 hang on it: numbers of the model are part of their fingerprint."""
    images = rng.integers(0, 256, (2500, 8, 8, 3), dtype=np.uint8)
    scale, offset = standardise(images)
    mean, deviation = (f(images, axis=(0, 1, 2), dtype=float) for f in (np.mean, np.std))
    assert scale == (1 / deviation).tolist() and offset == (-mean / deviation).tolist()
