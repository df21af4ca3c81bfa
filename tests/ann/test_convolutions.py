"""Sums that TensorFlow may get wrong: the plain one against loops, and what a wrong one leads to.

Whether this processor shows the fault is no matter here: TensorFlow's sums are replaced.
"""

import itertools

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import doctor, stack
from nengo_tactile.ann.convolutions import plain_convolution, self_test
from nengo_tactile.errors import ConversionError
from tests.support.passes import check_convolutions

tf = stack.tensorflow()
layers = tf.keras.layers


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("strides", "dilation"),
    [((1, 1), (1, 1)), ((1, 3), (1, 1)), ((3, 2), (1, 1)), ((1, 1), (2, 3))],
)
def test_the_plain_sum_equals_loops_and_tensorflow(rng, padding, strides, dilation):
    x, kernel = rng.normal(size=(2, 6, 7, 2)), rng.normal(size=(3, 2, 2, 3))
    found = plain_convolution(x, kernel, strides, padding, dilation)
    # two channels: TensorFlow was never wrong there
    other = tf.nn.conv2d(x, kernel, strides, padding.upper(), dilations=dilation).numpy()
    np.testing.assert_allclose(found, other, atol=1e-12)
    if padding == "valid":
        for n, i, j, filter_ in itertools.product(*map(range, found.shape)):
            total = 0.0
            for a, b, c in itertools.product(*map(range, kernel.shape[:3])):
                pixel = x[n, i * strides[0] + a * dilation[0], j * strides[1] + b * dilation[1], c]
                total += pixel * kernel[a, b, c, filter_]
            assert found[n, i, j, filter_] == pytest.approx(total)


def model_of(shape=(6, 1, 1), **options):
    """A convolution of one channel, one column and a horizontal stride, unless told otherwise."""
    options = {"kernel_size": 2, "strides": (1, 2), "padding": "same", **options}
    x = inputs = tf.keras.Input(shape)
    x = layers.Conv2D(3, activation="relu", bias_initializer="ones", name="tall", **options)(x)
    outputs = layers.Dense(2, name="read_out")(layers.Flatten()(x))
    return tf.keras.Model(inputs, outputs, name="net")


def replace_sums(monkeypatch, change):
    """Let Keras's convolutions be plain sums, changed; return the list of their layers' names."""
    called = []
    symbolic = layers.Conv2D.convolution_op

    def convolution_op(layer, inputs, kernel):
        if not tf.executing_eagerly() or tf.keras.backend.is_keras_tensor(inputs):
            return symbolic(layer, inputs, kernel)  # a model is being built
        called.append(layer.name)
        sums = plain_convolution(inputs, kernel, layer.strides, layer.padding, layer.dilation_rate)
        return tf.constant(change(sums).astype(np.float32))

    monkeypatch.setattr(layers.Conv2D, "convolution_op", convolution_op)
    return called


def test_right_sums_pass(monkeypatch, rng):
    model = model_of()
    called = replace_sums(monkeypatch, lambda sums: sums)
    for x in (rng.random((9, 6, 1, 1)), rng.random((1, 6, 1, 1)), None):
        check_convolutions(model, x)
    assert called == ["tall"] * 3


def one_wrong(value):
    def change(sums):
        sums = sums.copy()
        if len(sums) > 1:  # what a layer of no sample's input sends is read alone
            sums[1, 2, 0, 0] += value
        return sums

    return change


@pytest.mark.parametrize("change", [one_wrong(0.5), one_wrong(np.nan), np.zeros_like])
def test_wrong_sums_are_refused(monkeypatch, rng, change):
    model = model_of()
    replace_sums(monkeypatch, change)
    message = r"layer 'tall' \(Conv2D\): .* gives .* plain sum is .*TF_ENABLE_ONEDNN_OPTS=0 before"
    for x in (rng.random((9, 6, 1, 1)), rng.random((1, 6, 1, 1)), None):
        with pytest.raises(ConversionError, match=message):
            check_convolutions(model, x)


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (6, 1, 2)},
        {"shape": (6, 3, 1)},
        {"strides": (2, 1)},
        {"shape": (1, 6, 1), "strides": (2, 1)},
    ],
)
def test_other_shapes_are_not_computed_again(monkeypatch, options):
    model = model_of(**options)
    called = replace_sums(monkeypatch, np.zeros_like)
    check_convolutions(model, None)
    assert called == []


def test_conversion_refuses_wrong_sums(monkeypatch, rng):
    model = model_of()
    replace_sums(monkeypatch, one_wrong(1.0))
    with pytest.raises(ConversionError, match=r"layer 'tall' .*TF_ENABLE_ONEDNN_OPTS=0"):
        nt.convert(model, rng.random((8, 6, 1, 1)), nt.IF())


def test_a_network_from_another_machine_is_refused_when_it_runs(monkeypatch, rng):
    x = rng.random((8, 6, 2, 1))
    model = model_of((6, 2, 1), padding="valid")  # right on every machine, as far as is known
    network = nt.convert(model, x, nt.IF(), n_steps=4)
    replace_sums(monkeypatch, one_wrong(1.0))
    with pytest.raises(ConversionError, match=r"layer 'tall' .*TF_ENABLE_ONEDNN_OPTS=0"):
        nt.run(network, x, engine="nengo-dl", progress=False)


def fake_conv2d(wrong):
    def conv2d(x, kernel, strides, padding):
        sums = plain_convolution(x, kernel, strides, padding.lower())
        return tf.constant(sums * (0 if wrong(x) else 1))

    return conv2d


@pytest.mark.parametrize(
    ("wrong", "n_corners", "n_common", "result", "ok"),
    [
        (lambda x: False, 0, 0, "ok", True),
        (lambda x: x.shape[-1] == 1, 40, 0, "beware", True),
        (lambda x: True, 40, 4, "FAILED", False),
    ],
)
def test_doctor_tells_corners_from_all(monkeypatch, wrong, n_corners, n_common, result, ok):
    monkeypatch.setattr(tf.nn, "conv2d", fake_conv2d(wrong))
    corners, common = self_test()
    assert (len(corners), len(common)) == (n_corners, n_common)
    monkeypatch.setattr(doctor, "ENGINES", ())
    diagnosis = doctor.diagnose()
    assert diagnosis.ok == ok
    assert ("TF_ENABLE_ONEDNN_OPTS=0" in diagnosis.problem) == (not ok)
    _, _, table = doctor.tables(diagnosis)
    rows = {row[0]: row for row in zip(*(column.cells for column in table.columns))}
    row = rows["(TensorFlow's convolutions)"]
    assert row[1] == result
    assert ("TF_ENABLE_ONEDNN_OPTS=0" in row[3]) == (n_corners > 0)
