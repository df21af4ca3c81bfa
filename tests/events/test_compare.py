"""Statistics and comparisons on events whose answers are known."""

import json

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events import compare
from nengo_tactile.events.arrays import make_events
from nengo_tactile.events.eskin_table1 import (
    SOURCES,
    STATISTICS,
    TABLE1_SAMPLES,
    fitted_parameters,
    table1,
)


def test_table1_is_the_papers():
    table = table1()
    assert tuple(table) == STATISTICS
    assert sum(TABLE1_SAMPLES) == 6953  # section 2.2
    for columns in table.values():
        assert columns["mean"].shape == columns["sd"].shape == (10,)
    # spot checks read off the paper by hand
    assert table["on_events"]["mean"][8] == 1399.14
    assert table["y_range"]["sd"][7] == 1.18
    assert table["off_events"]["sd"][3] == 1403.10


def test_fitted_parameters_load_for_every_source():
    for source in SOURCES:
        assert fitted_parameters(source).to_dict()["refractory_us"] == 3272
    with pytest.raises(DataError, match="no fitted e-skin parameters for 'mouse'"):
        fitted_parameters("mouse")


def test_sample_statistics_by_hand():
    events = make_events([0, 4, 2], [9, 9, 3], [1, 2, 3], [1, 1, 0])
    np.testing.assert_allclose(compare.sample_statistics(events), [2, 1, 3, 8, 4, 6])
    np.testing.assert_allclose(compare.sample_statistics(events, 0), [2, 1, 2, 7, 4, 6])
    empty = compare.sample_statistics(events[:0])
    assert empty[:2].tolist() == [0, 0]
    assert np.isnan(empty[2:]).all()


def test_class_statistics_and_scores(rng):
    labels = np.repeat(np.arange(10), 20)
    rows = rng.random((200, 6)) + 1
    table = compare.class_statistics(rows, labels)
    own = rows[labels == 3, STATISTICS.index("x_range")]
    assert table["x_range"]["mean"][3] == pytest.approx(own.mean())
    assert table["x_range"]["sd"][3] == pytest.approx(own.std(ddof=1))
    perfect = compare.table1_scores(table1())
    for name, value in perfect.items():
        if name.endswith("sd_ratio"):
            assert value == pytest.approx(1)
        elif not name.startswith("on_off"):
            assert value == 0
    double = table1()
    double["on_events"]["mean"] *= 2
    double["x_mean"]["mean"][4] += 3 * double["x_mean"]["sd"][4]
    scores = compare.table1_scores(double)
    assert scores["on_error"] == pytest.approx(1)
    assert scores["x_mean_worst"] == pytest.approx(3)
    assert scores["on_off_ratio"] == pytest.approx(2 * scores["on_off_ratio_paper"])
    with pytest.raises(DataError, match=r"digits \[9\] have fewer than two"):
        compare.class_statistics(rows[:181], labels[:181])


def test_table_text_holds_both_sides():
    text = compare.format_table1(table1(), "twin")
    assert text.count("1738 (1366)") == 2
    assert text.count("twin") == 6


def a_recording():
    # taxel (1, 2): an ON message of 3 events, 5 ms later an OFF message of 2; taxel (0, 0): one
    # ON message that lies in between, and OFF at the same time is another message
    return make_events(
        [1, 1, 1, 0, 0, 1, 1], [2, 2, 2, 0, 0, 2, 2],
        [1000, 1000, 1001, 3000, 3000, 6000, 6000], [1, 1, 1, 1, 0, 0, 0],
    )  # fmt: skip


def test_messages_merge_repeats():
    taxel, t_us, on, repeats = compare.messages(a_recording())
    assert taxel.tolist() == [0, 0, 2001, 2001]
    assert t_us.tolist() == [3000, 3000, 1000, 6000]
    assert on.tolist() == [True, False, True, False]
    assert repeats.tolist() == [1, 1, 3, 2]


def test_distributions_by_hand():
    found = compare.distributions([a_recording(), a_recording()[:0]])
    assert found["interval_ms"].tolist() == [0.0, 5.0]
    assert found["messages_per_taxel"].tolist() == [2, 2]
    assert found["events_per_taxel"].tolist() == [2, 5]
    assert found["on_repeats"].tolist() == [1, 3]
    assert found["off_repeats"].tolist() == [1, 2]
    assert found["same_polarity"].tolist() == [0, 0]
    assert found["first_is_on"].tolist() == [1, 1]


def test_ks_distance_is_scipys(rng):
    from scipy.stats import ks_2samp

    a, b = rng.normal(size=300), rng.normal(0.5, 2, size=170).round(1)
    assert compare.ks_distance(a, b) == pytest.approx(ks_2samp(a, b).statistic)
    assert compare.ks_distance(a, a) == 0
    assert np.isnan(compare.ks_distance(a, b[:0]))


def test_comparison_is_plain_and_readable():
    table = compare.compare_distributions([a_recording()], a_recording())
    assert all(row["ks"] == 0 for row in table.values())
    json.dumps(table, allow_nan=False)
    text = compare.format_distributions(table)
    assert text.count("simulated") == text.count("recorded") == len(table)
    with pytest.raises(DataError, match="holds no events"):
        compare.compare_distributions([a_recording()[:0]], a_recording())


def test_plot_draws_both_sides(tmp_path):
    figure = compare.plot_distributions([a_recording()], a_recording())
    figure.savefig(tmp_path / "plot.png")
    axes = figure.axes
    assert len(axes[1].lines) == 2
    assert {text.get_text() for text in axes[-1].get_legend().get_texts()} == {
        "simulated", "recorded"
    }  # fmt: skip
