import numpy as np
import pytest

from nengo_tactile.analysis import accuracy_interval, confusion_matrix, latency_step
from nengo_tactile.analysis.plots import accuracy_over_time, beside_paper, confusion, png
from nengo_tactile.errors import DataError


def test_accuracy_curves_start_at_step_one_and_mark_the_latency(rng):
    curves = {"NengoDL": np.linspace(0.1, 0.9, 50), "Loihi": np.sort(rng.random(30))}
    figure = accuracy_over_time(curves, ann_accuracy=0.95, dt=0.001, title="over time")
    lines = figure.axes[0].lines
    assert list(lines[0].get_ydata()) == [0.95, 0.95]
    for index, curve in enumerate(curves.values()):
        line, marker = lines[1 + 2 * index], lines[2 + 2 * index]
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(curve) + 1))
        np.testing.assert_allclose(line.get_ydata(), curve)
        settled = latency_step(curve)
        assert list(marker.get_xdata()) == [settled]
        assert list(marker.get_ydata()) == [curve[settled - 1]]
    assert figure.axes[0].get_xlabel() == "time steps of 1 ms"
    png(figure, dpi=40)


def test_curves_of_different_samples_have_intervals_and_references_of_their_own():
    curves = {"NengoDL": np.linspace(0.1, 0.9, 20), "Loihi": np.linspace(0.1, 0.8, 20)}
    figure = accuracy_over_time(
        curves, {"NengoDL": 0.95, "Loihi": 0.85}, {"NengoDL": 600, "Loihi": 60}, reference="CNN"
    )
    (axes,) = figure.axes
    labels = axes.get_legend_handles_labels()[1]
    assert "CNN on the same 85.0%" in labels and "CNN on the same 95.0%" in labels
    assert any(label.startswith("Loihi 80.0% of 60, settled") for label in labels)
    for band, curve, n in zip(axes.collections, curves.values(), (600, 60)):
        wanted = np.array([accuracy_interval(value, n) for value in curve])
        drawn = band.get_paths()[0].vertices
        assert drawn[:, 1].min() == wanted[:, 0].min() and drawn[:, 1].max() == wanted[:, 1].max()
    assert axes.get_ylim()[1] > 1
    png(figure, dpi=40)


def test_many_curves_stay_apart():
    figure = accuracy_over_time({f"network {i}": [0.1, 0.2] for i in range(8)})
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[:16:2]}
    assert len(looks) == 8


def test_accuracy_refuses():
    with pytest.raises(DataError, match="no accuracy curve"):
        accuracy_over_time({})
    with pytest.raises(DataError, match=r"ndarray: give .name: Recording.accuracy"):
        accuracy_over_time(np.zeros(3))
    with pytest.raises(DataError, match=r"accuracy\[0\] is nan"):
        accuracy_over_time({"a": [np.nan]})


@pytest.mark.parametrize("n_classes", [3, 12, 35])
def test_confusion_shades_are_shares_of_the_row(rng, n_classes):
    labels, predictions = rng.integers(0, n_classes, (2, 500))
    matrix = confusion_matrix(labels, predictions, n_classes)
    figure = confusion(matrix, title="read")
    axes = figure.axes[0]
    np.testing.assert_allclose(
        axes.images[0].get_array(), matrix / matrix.sum(axis=1, keepdims=True)
    )
    if n_classes <= 12:
        for text in axes.texts:
            column, row = text.get_position()
            assert text.get_text() == str(matrix[row, column])
        assert len(axes.texts) == np.count_nonzero(matrix)
    else:
        assert not axes.texts
    png(figure, dpi=40)


def test_confusion_with_a_class_that_does_not_occur():
    png(confusion(np.diag([3, 0, 2000]), names=["a", "b", "c"]), dpi=40)


@pytest.mark.parametrize(
    ("matrix", "names"),
    [(np.zeros((2, 3)), None), (np.zeros((0, 0)), None), (np.zeros((2, 2)), ["a"])],
)
def test_confusion_refuses(matrix, names):
    with pytest.raises(DataError, match="give a square matrix and one name per class"):
        confusion(matrix, names)


def test_bars_beside_the_paper():
    rows = [
        {"name": "CNN", "paper": 0.89, "paper_sd": 0.01, "ours_mean": 0.95, "ours_sd": 0.02},
        {"name": "ours alone", "paper": None, "ours_mean": 0.9, "ours_sd": None, "n_test": 9},
        {"name": "SLAYER", "paper": 0.8, "ours_mean": None},
    ]
    figure = beside_paper(rows, title="Table 2")
    axes = figure.axes[0]
    assert sorted(b.get_width() for b in axes.patches if b.get_width()) == [
        0.8,
        0.89,
        0.9,
        0.95,
    ]
    texts = [text.get_text() for text in axes.texts]
    assert texts == [
        "0.890 ± 0.010",
        "0.950 ± 0.020",
        "no number in the paper",
        "0.900",
        "0.800",
        "not run",
    ]
    png(figure, dpi=40)


def test_bars_of_nothing_run_yet():
    png(beside_paper([{"name": "SLAYER", "paper": None, "ours_mean": None}]), dpi=40)


def test_bars_refuse():
    with pytest.raises(DataError, match="no rows"):
        beside_paper([])
    with pytest.raises(DataError, match="row 0 has no 'paper' and no 'ours_mean'"):
        beside_paper([{"name": "CNN"}])
