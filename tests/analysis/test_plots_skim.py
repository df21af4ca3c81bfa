"""Pictures of SKIM networks: what they draw, and what they refuse."""

import numpy as np
import pytest
from scipy import special

from nengo_tactile.analysis import plots_skim, style
from nengo_tactile.errors import DataError


def line(accuracy, final=None, n_train=(1000, 2000)):
    final = None if final is None else {"n_train": 60_000, "accuracy": final}
    return {"n_train": list(n_train), "accuracy": list(accuracy), "final": final}


def drawn(axes, marker):
    return [each for each in axes.get_lines() if each.get_marker() == marker]


def test_accuracy_by_samples():
    lines = {2000: line([0.7, 0.8], 0.85), 10: line([0.2, 0.25], 0.26)}
    paper = [(10, 2000, 0.2636), (2000, 60_000, 0.8396), (10_000, 60_000, 0.9287)]
    figure = plots_skim.accuracy_by_samples(lines, 0.1, paper, "title")
    axes, last = figure.axes
    (small,), (large,) = drawn(axes, "o"), drawn(axes, "s")
    np.testing.assert_array_equal(small.get_xydata(), [[1000, 0.2], [2000, 0.25]])
    np.testing.assert_array_equal(large.get_ydata(), [0.7, 0.8])
    assert drawn(last, "s")[0].get_ydata() == [0.85]
    assert drawn(last, "s")[0].get_color() == large.get_color() != small.get_color()
    # the paper's numbers of the sizes that are shown, each in its panel
    assert [each.get_ydata()[0] for each in drawn(axes, "x")] == [0.2636]
    assert [each.get_ydata()[0] for each in drawn(last, "x")] == [0.8396]
    assert {text.get_text() for text in last.texts} >= {"10", "2,000"}
    assert [text.get_text() for text in last.get_xticklabels()] == ["60,000"]
    assert len(figure.legends) == 1
    assert style.png(figure).startswith(b"\x89PNG")


def test_a_line_that_has_not_ended_keeps_its_label():
    lines = {10: line([0.2, 0.3]), 20: line([], 0.5, n_train=())}
    figure = plots_skim.accuracy_by_samples(lines, paper=[(10, 10_000, 0.2636)])
    assert {text.get_text() for text in figure.axes[1].texts} >= {"10", "20"}
    assert not figure.legends  # nothing of the paper is in sight
    assert style.png(figure).startswith(b"\x89PNG")


def test_accuracy_online():
    rows = [{"n_train": n, "n_test": 200, "a": n / 400, "b": n / 500} for n in (50, 100, 200)]
    figure = plots_skim.accuracy_online({"rows": rows}, ("a", "b", "c"))
    first, second = figure.axes[0].get_lines()
    np.testing.assert_allclose(first.get_xydata(), [[50, 0.125], [100, 0.25], [200, 0.5]])
    np.testing.assert_allclose(second.get_ydata(), [0.1, 0.2, 0.4])
    (band,) = figure.axes[0].collections  # Wilson's interval of 100 of 200
    ends = band.get_paths()[0].vertices
    np.testing.assert_allclose(sorted(ends[ends[:, 0] == 200][:, 1])[-1], 0.5687, atol=1e-3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    plots_skim.accuracy_online({"rows": rows[:1]}, ("a",))
    assert style.png(figure).startswith(b"\x89PNG")


def test_labels_do_not_overlap(rng):
    np.testing.assert_allclose(plots_skim.spread([0.1, 0.5, 0.9], 0.1), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(plots_skim.spread([0.5, 0.5, 0.5], 0.1), [0.4, 0.5, 0.6])
    values = np.sort(rng.random(9))
    found = np.array(plots_skim.spread(values, 0.06))
    assert np.diff(found).min() >= 0.06 - 1e-12
    assert found.mean() == pytest.approx(values.mean())


def test_distributions_beside_the_normal(rng):
    values = {"gaussian": rng.normal(0.8, 0.01, 51), "exponential": rng.normal(0.9, 0.1, 40)}
    figure = plots_skim.distributions(values, {"gaussian": {"K-S": 0.93471, "other": 1e-5}})
    above, _, below, right = figure.axes
    assert above.get_title(loc="left") == "Gaussian, 51 trials\nK-S: p = 0.935\nother: p < 0.001"
    bars = above.patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    steps, normal = below.get_lines()
    z = np.sort(values["gaussian"] - values["gaussian"].mean()) / values["gaussian"].std(ddof=1)
    np.testing.assert_allclose(steps.get_xdata()[1:-1], z)
    np.testing.assert_allclose(steps.get_ydata(), [*np.arange(52) / 51, 1])
    np.testing.assert_allclose(normal.get_ydata(), special.ndtr(normal.get_xdata()))
    assert len(right.get_lines()[0].get_xdata()) == 42
    assert style.png(figure).startswith(b"\x89PNG")


def test_values_far_from_the_mean_are_in_the_histogram():
    values = [
        *np.linspace(0.80, 0.81, 60),
        0.9,
    ]  # 7.47 SDs away
    figure = plots_skim.distributions({"flat": values}, {})
    total = sum(bar.get_height() * bar.get_width() for bar in figure.axes[0].patches)
    assert total == pytest.approx(1)
    assert figure.axes[0].patches[-1].get_x() == 7.0


def test_spread_by_method():
    figure = plots_skim.spread_by_method({"Max": [0.7, 0.72, 0.74], "Area": [0.8]}, "title")
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["Max\n72.00 ± 2.00 %", "Area\n80.00 %"]
    points = [sorted(p.get_xdata()) for p in drawn(axes, "o") if len(p.get_xdata())]
    assert points == [[0.7, 0.72, 0.74], [0.8]]
    assert style.png(figure).startswith(b"\x89PNG")


def test_errors_by_pattern():
    accuracies = {
        "flat": {"Max": [0.8, 0.82], "Weighted Area": [0.9, 0.9]},
        "gaussian": {"Max": [0.7, 0.7], "Weighted Area": [0.85, 0.85]},
    }
    figure = plots_skim.errors_by_pattern(accuracies)
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths, [19, 10, 30, 15])
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["19.00 ± 1.41", "10.00", "30.00", "15.00"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Max", "Weighted\nArea"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["Flat", "Gaussian"]
    assert axes.get_xlim()[0] == 0
    assert style.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots_skim.accuracy_by_samples({}), "no lines were given"),
        (lambda: plots_skim.accuracy_by_samples({10: line([0.1])}), "2 sample counts and 1 acc"),
        (lambda: plots_skim.accuracy_by_samples({10: line([], None, ())}), "at least one point"),
        (lambda: plots_skim.accuracy_online({"rows": []}, ["a"]), "no rows were given"),
        (lambda: plots_skim.distributions({}, {}), "no accuracies were given"),
        (lambda: plots_skim.distributions({"flat": [0.5, 0.5]}, {}), "all 2 accuracies of the fl"),
        (lambda: plots_skim.spread_by_method({"Max": []}), "none empty"),
        (lambda: plots_skim.errors_by_pattern({}), "0 training patterns"),
        (lambda: plots_skim.errors_by_pattern({"a": {"x": [1]}, "b": {}}), "give the same"),
    ],
)
def test_what_cannot_be_drawn(draw, message):
    with pytest.raises(DataError, match=message):
        draw()
