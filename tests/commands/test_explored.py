import numpy as np

from nengo_tactile.analysis import Measured
from nengo_tactile.commands.explored import MOST_EACH, MOST_FRAMES, chosen, explored
from nengo_tactile.engines.recording import Recording


class Network:
    classes = ("a", "b", "c")


def measured(answers, labels, n_classes=3, x=None):
    outputs = np.eye(n_classes, dtype=np.float32)[np.asarray(answers)][:, None]
    return Measured(Recording(outputs, {}, {}, {}, 0.001, "event"), np.asarray(labels), x)


def test_wrong_ones_first_and_each_class_of_the_right_ones():
    labels = np.array([0] * 20 + [1] * 20 + [2] * 3)
    answers = labels.copy()
    answers[[4, 7, 25]] = 2
    found = chosen(measured(answers, labels), 3)
    assert found[:3].tolist() == [4, 7, 25]
    assert len(found) == 3 + MOST_EACH
    # the first of each class, then the second, and so on, as long as there are any
    assert found[3:12].tolist() == [0, 20, 40, 1, 21, 41, 2, 22, 42]
    assert set(found[12:]) == {3, 23, 5}
    everything = chosen(measured((labels + 1) % 3, labels), 3)
    assert everything.tolist() == list(range(MOST_EACH))


def test_none_where_outputs_are_no_classes():
    assert not len(chosen(measured([0, 1], [0, 1]), 5))
    values = Measured(measured([0, 1], [0, 1]).recording, np.random.default_rng(0).random((2, 3)))
    assert not len(chosen(values, 3))


def test_images_are_shown_as_they_are(rng):
    x = rng.random((4, 6, 5, 2))
    found = explored(Network, measured([0, 1, 2, 0], [0, 1, 2, 1], x=x), transposed=True)
    assert found.indices.tolist() == [3, 0, 1, 2] and found.frames.shape == (4, 1, 6, 5)
    for frame, i in zip(found.frames, found.indices):
        both = x[i, :, :, 0] + x[i, :, :, 1]
        np.testing.assert_allclose(frame[0] / 255, both / both.max(), atol=0.5 / 255)


def test_what_arrives_grows_over_time(rng):
    x = (rng.random((2, 50, 6, 5, 2)) < 0.1).astype(np.float32)
    found = explored(Network, measured([0, 1], [0, 1], x=x))
    assert found.frames.shape == (2, MOST_FRAMES, 6, 5)
    whole = x[0].sum(axis=(0, 3))
    for k in (0, 7, MOST_FRAMES - 1):
        so_far = x[0, : (k + 1) * 50 // MOST_FRAMES].sum(axis=(0, 3))
        np.testing.assert_allclose(found.frames[0, k] / 255, so_far / whole.max(), atol=0.5 / 255)
    turned = explored(Network, measured([0, 1], [0, 1], x=x), transposed=True)
    np.testing.assert_array_equal(turned.frames, found.frames.swapaxes(2, 3))


def test_large_images_are_thinned_and_vectors_have_no_picture(rng):
    large = explored(Network, measured([0], [0], x=rng.random((1, 130, 200, 1))))
    assert max(large.frames.shape[2:]) <= 64
    assert explored(Network, measured([0], [0], x=rng.random((1, 9)))).frames is None
