"""What networks should answer: told apart by shape and values; losses beside Keras's."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.networks.targets import targets_of

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("read_out", "y", "are_values"),
    [
        (ReadOut.linear((3,)), [0, 2, 1], False),
        (ReadOut.linear((3,)), [[0], [2], [1]], False),
        (ReadOut("sigmoid", (1,), (1,)), [0, 1, 1], False),
        (ReadOut("sigmoid", (2,), (2,)), [[0, 1], [1, 1], [0, 0]], False),
        (ReadOut.linear((1,)), [0.2, 1.5, -3], True),
        (ReadOut.linear((1,)), [[23], [41], [35]], True),
        (ReadOut.linear((2,)), [[0.5, 1], [2, 3], [0, 0]], True),
        (ReadOut("softplus", (1,), (1,)), [0, 1, 1], True),
        (ReadOut("sigmoid", (2, 2, 1), (2, 2, 1)), RNG.random((3, 2, 2, 1)), True),
    ],
)
def test_classes_and_values_are_told_apart(read_out, y, are_values):
    assert targets_of(read_out, np.array(y)).are_values == are_values


@pytest.mark.parametrize(
    ("read_out", "y", "told"),
    [
        (ReadOut("softmax", (3,), (3,)), np.eye(3), "argmax"),
        (ReadOut.linear((3,)), np.eye(3), "argmax"),
        (ReadOut.linear((3,)), [0, 1, 3], "label 3"),
        (ReadOut("sigmoid", (1,), (1,)), [0, 1, 2], "label 2"),
        (ReadOut("sigmoid", (1,), (1,)), [0, 1, np.nan], "label nan"),
        (ReadOut("softplus", (1,), (1,)), [0, 1, -1], "label -1"),
        (ReadOut.linear((1,)), ["a", "b", "c"], "label a"),
        (ReadOut.linear((2,)), RNG.random((3, 4)), r"shape \(3, 4\)"),
        (ReadOut.linear((2,)), 3, r"shape \(\)"),
    ],
)
def test_what_is_neither_is_refused(read_out, y, told):
    with pytest.raises(DataError, match=told):
        targets_of(read_out, np.array(y))


def test_losses_are_those_of_keras():
    """Binary, multi-label and categorical, of probabilities and of logits."""
    losses = stack.tensorflow().keras.losses
    logits, y = RNG.normal(size=(50, 4)).astype(np.float32) * 3, RNG.integers(0, 4, 50)
    labels = RNG.integers(0, 2, (50, 4))

    def same(activation, logits, y, loss, raw):
        read_out = ReadOut(activation, logits.shape[1:], logits.shape[1:])
        given = logits if raw else read_out.apply(logits)
        wanted = np.mean(loss(y if y.ndim == 2 else y[:, None], logits, from_logits=True))
        assert targets_of(read_out, y).loss(given) == pytest.approx(float(wanted), rel=1e-4)

    same("softmax", logits, y, losses.sparse_categorical_crossentropy, raw=False)
    same("linear", logits, y, losses.sparse_categorical_crossentropy, raw=True)
    same("sigmoid", logits, labels, losses.binary_crossentropy, raw=False)
    same("sigmoid", logits[:, :1], y % 2, losses.binary_crossentropy, raw=False)
    same("linear", logits[:, :1], y % 2, losses.binary_crossentropy, raw=True)


def test_the_model_and_its_potentials_are_measured_alike():
    """Probabilities of a half are potentials of 0, and values stand behind their activation."""
    logits = RNG.normal(size=(60, 1))
    for activation in ("sigmoid", "tanh", "linear"):
        read_out = ReadOut(activation, (1,), (1,))
        given = read_out.apply(logits)
        for y in (RNG.integers(0, 2, 60), np.clip(RNG.random(60), 0.01, 0.99)):
            targets = targets_of(read_out, y)
            assert targets.measure_model(given) == pytest.approx(targets.measure(logits))
    values = targets_of(ReadOut.linear((1,)), np.array([1.0, 3, 6]))
    assert values.measure(np.array([[2.0], [2], [6]])) == pytest.approx(np.sqrt(2 / 3))
    assert values.score(values.spread) == pytest.approx(0)
