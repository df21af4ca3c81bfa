"""What outputs mean: Keras's own activations, losses and metrics are the reference."""

import json

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.networks.read_out import ACTIVATIONS, ReadOut


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_values_are_those_of_keras_layers(activation):
    """The cut-off end of a model is put on again, and huge potentials do not overflow."""
    keras = stack.tensorflow().keras
    end = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Reshape((2, 2, 3)),
            keras.layers.Activation(activation),
            keras.layers.Reshape((4, 3)),
        ]
    )
    values = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32) * 3
    values[0, :4] = [300, -300, 80, -80]
    got = ReadOut(activation, (2, 2, 3), (4, 3)).apply(values)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, end.predict(values, verbose=0), rtol=2e-6, atol=1e-7)


def test_more_axes_are_kept_before_the_outputs():
    """A whole recording, (samples, steps, outputs), is taken as well as one step of it."""
    values = np.random.default_rng(1).normal(size=(3, 4, 6))
    read_out = ReadOut("softmax", (2, 3), (2, 3))
    whole = read_out.apply(values)
    assert whole.shape == (3, 4, 2, 3)
    np.testing.assert_array_equal(whole[:, 1], read_out.apply(values[:, 1]))


def test_binary_accuracy_is_that_of_keras():
    """One output: class 1 above a probability of a half; labels of either shape."""
    keras = stack.tensorflow().keras
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(200, 1)), rng.integers(0, 2, 200)
    read_out = ReadOut("sigmoid", (1,), (1,))
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(labels[:, None], read_out.apply(logits))
    assert read_out.accuracy(logits, labels) == pytest.approx(float(metric.result()))
    assert 0.3 < float(metric.result()) < 0.7
    for same in (labels[:, None], labels.astype(float), labels.astype(bool)):
        assert read_out.accuracy(logits, same) == read_out.accuracy(logits, labels)
    assert ReadOut.linear((1,)).accuracy(logits, labels) == read_out.accuracy(logits, labels)
    np.testing.assert_array_equal(read_out.decide(logits), logits[:, 0] > 0)


def test_multi_label_accuracy_is_that_of_keras():
    """Each of several sigmoids counts for itself, in maps too."""
    keras = stack.tensorflow().keras
    rng = np.random.default_rng(3)
    for shape in ((5,), (3, 2, 4), (4, 4, 1)):
        logits = rng.normal(size=(40, int(np.prod(shape))))
        labels = rng.integers(0, 2, (40, *shape))
        read_out = ReadOut("sigmoid", shape, shape)
        metric = keras.metrics.BinaryAccuracy()
        metric.update_state(labels, read_out.apply(logits))
        assert read_out.accuracy(logits, labels) == pytest.approx(float(metric.result()))


def test_sigmoids_trained_for_one_class_each_take_class_numbers():
    """One against the rest: the largest output wins, as in Keras's sparse accuracy."""
    logits = np.array([[-3.0, -1, -2], [2, 1, 3]])
    assert ReadOut("sigmoid", (3,), (3,)).accuracy(logits, [1, 2]) == 1


def test_map_accuracy_is_a_loop_over_places():
    """Segmentation: the winner of the last axis at each place."""
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(size=(6, 3, 24)), rng.integers(0, 4, (6, 2, 3))
    got = ReadOut("softmax", (2, 3, 4), (2, 3, 4)).accuracy(logits, labels)
    for step in range(3):
        hits = 0
        for sample, row, column in np.ndindex(6, 2, 3):
            scores = logits[sample, step].reshape(2, 3, 4)[row, column]
            hits += int(max(range(4), key=lambda k: scores[k]) == labels[sample, row, column])
        assert got[step] == pytest.approx(hits / 36)


@pytest.mark.parametrize(
    ("read_out", "labels", "told"),
    [
        (ReadOut("sigmoid", (1,), (1,)), [0, 1, 2], "label 2 at index .2,.*takes 0 and 1"),
        (ReadOut.linear((1,)), [0.0, 0.7, 1.0], r"label 0.7 at index .1,.*error\(values\)"),
        (ReadOut.linear((1,)), [0, np.nan, 1], "label nan"),
        (ReadOut.linear((4,)), [0, 1, 4], "label 4 .*whole numbers from 0 to 3"),
        (ReadOut.linear((4,)), [0, 1, -1], "label -1"),
        (ReadOut.linear((4,)), ["0", "1", "2"], "label 0 at index"),
        (ReadOut.linear((4,)), [0, 1], r"shape \(2,\).*one integer label per sample$"),
        (ReadOut("softmax", (4,), (4,)), np.eye(4)[:3], r"labels.argmax\(-1\)"),
        (ReadOut("softmax", (2, 4), (2, 4)), [0, 1, 2], "per sample and place"),
        (ReadOut("softplus", (1,), (1,)), [0, 1, 1], "tells no classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(read_out, labels, told):
    """With what was given, what fits, and what to do."""
    outputs = np.zeros((3, read_out.n_outputs))
    with pytest.raises(DataError, match=told):
        read_out.accuracy(outputs, labels)


def test_impossible_read_outs_are_refused():
    """Unknown activations, shapes of other sizes, a softmax over one output, other outputs."""
    with pytest.raises(ConversionError, match="'relu': choose one of linear"):
        ReadOut("relu", (2,), (2,))
    with pytest.raises(ConversionError, match="equally many"):
        ReadOut("linear", (2, 3), (5,))
    with pytest.raises(ConversionError, match="gives 1"):
        ReadOut("softmax", (4, 1), (4,))
    with pytest.raises(DataError, match=r"\(\.\.\., 2\)"):
        ReadOut.linear((2,)).apply(np.zeros((4, 3)))


def test_a_read_out_passes_through_json():
    """Saved networks keep it."""
    read_out = ReadOut("sigmoid", (2, 3), (6,))
    assert ReadOut.from_dict(json.loads(json.dumps(read_out.to_dict()))) == read_out


def test_a_single_value_is_compared_by_its_error():
    """Standardised by itself every single output would be 0, and all of one sign agree."""
    wanted = np.random.default_rng(5).normal(10, 2, size=(500, 1))
    off = np.where(np.arange(500) % 2, 1.0, -1.0)[:, None]
    read_out = ReadOut.linear((1,))
    assert read_out.distance(wanted + off, wanted) == pytest.approx(1)
    assert read_out.agreement(wanted + off, wanted) == pytest.approx(1 - 1 / wanted.std())
    assert read_out.agreement(wanted, wanted) == 1


def test_several_outputs_are_compared_by_winners_and_labels():
    """A common offset changes no winner, but the labels of several sigmoids."""
    wanted = np.array([[1.0, -1, -2], [-0.5, 0.5, 2]])
    classes, labels = ReadOut.linear((3,)), ReadOut("sigmoid", (3,), (3,))
    assert classes.agreement(wanted + 1.5, wanted) == 1
    assert classes.distance(3 * wanted + 1.5, wanted) == pytest.approx(0)
    assert labels.agreement(wanted + 1.5, wanted) == pytest.approx(4 / 6)
    assert labels.distance(wanted + 1.5, wanted) == pytest.approx(1.5)
    pair = ReadOut.linear((2,))
    assert pair.distance(wanted[:, :2] + 1.5, wanted[:, :2]) == pytest.approx(1.5)
