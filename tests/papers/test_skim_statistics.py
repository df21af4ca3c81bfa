"""Tests and recommendation from repeated trials, on trials made by hand."""

import numpy as np
import pytest
from scipy import special

from nengo_tactile.errors import DataError
from nengo_tactile.papers.skim.statistics import accuracies, recommendation, statistics
from tests.support.skim_states import AS_PAPER, METHODS, trials

PATTERNS = ("flat", "gaussian", "exponential")


def holds(state):
    found = statistics(accuracies(state))
    return [claim["holds"] for claim in found["claims"]]


def test_accuracies_are_hits_over_test_samples():
    found = accuracies(AS_PAPER)
    assert found["seeds"] == [0, 1, 2, 3, 4]
    assert found["accuracy"]["gaussian"]["max"] == [0.70, 0.72, 0.68, 0.71, 0.73]
    assert found["accuracy"]["exponential"]["weighted-area"][-1] == 0.84
    assert (found["n_hidden"], found["n_train"], found["n_test"]) == (1000, 5000, 100)


def test_trials_that_lack_a_part_are_left_out():
    state = trials([[80] * 12, [81] * 12, [82] * 12])
    del state["trials"][0]["hits"]["exponential"]
    del state["trials"][2]["hits"]["flat"]["area"]
    assert accuracies(state)["seeds"] == [1]
    state["trials"] = state["trials"][:1]
    for nothing in (None, {}, {"trials": []}, state):
        assert accuracies(nothing) is None
    assert statistics(None) == {}
    assert recommendation(None) == []


def test_what_the_paper_finds_is_found_in_trials_made_so():
    """Means of Max by pattern: 82.2, 70.8 and 85; of Area: 83.4, 82 and 82.8; so on."""
    found = statistics(accuracies(AS_PAPER))
    claims = found["claims"]
    assert [claim["holds"] for claim in claims] == [True] * 5
    assert "Max: Exponential, Area: Flat" in claims[1]["ours"]
    assert claims[3]["ours"].count("points") == 3
    assert found["n_trials"] == 5
    pairs = {(p["pattern"], p["first"], p["second"]): p for p in found["methods"]}
    assert len(pairs) == 18
    assert pairs["gaussian", "max", "area"]["difference"] == pytest.approx(0.708 - 0.82)
    assert pairs["flat", "max", "weighted-max"]["equal"]
    assert len(found["patterns"]) == 12


def test_claims_fail_where_trials_say_otherwise():
    """Flat and Gaussian swapped; then Area alike, or unlike, under two patterns."""
    rows = np.array([[trial["hits"][p][m] for p in PATTERNS for m in METHODS]
                     for trial in AS_PAPER["trials"]])  # fmt: skip
    swapped = rows[:, [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11]].tolist()
    assert holds(trials(swapped)) == [False, False, False, True, False]
    alike = rows.copy()
    alike[:, [1, 9]] = alike[:, [5]]
    assert holds(trials(alike.tolist()))[3] is True
    unlike = rows.copy()
    unlike[:, 9] = rows[:, 5] - [5, 6, 5, 6, 5]
    assert holds(trials(unlike.tolist()))[3] is False
    assert holds(trials(rows[:1].tolist())) == [None, True, True, None, None]


def test_normality_beside_the_paper(rng):
    hits = np.rint(800 + 10 * rng.normal(size=(30, 12))).astype(int)
    found = statistics(accuracies(trials(hits.tolist(), 1000)), seed=3)
    flat, gaussian, exponential = found["normality"]
    assert (flat["paper_ks"], flat["paper_lilliefors_above"]) == (None, None)
    assert (gaussian["paper_ks"], exponential["paper_ks"]) == (0.9347, 0.9991)
    z = np.sort((hits[:, 5] - hits[:, 5].mean()) / hits[:, 5].std(ddof=1))
    normal, steps = special.ndtr(z), np.arange(31) / 30
    distance = max((steps[1:] - normal).max(), (normal - steps[:-1]).max())
    assert gaussian["ks"]["statistic"] == pytest.approx(distance)
    assert gaussian["lilliefors"]["statistic"] == pytest.approx(distance)
    assert 0.01 < gaussian["lilliefors"]["p"] < gaussian["ks"]["p"] < 1


def test_no_test_of_normality_for_few_or_equal_trials():
    for rows in ([[80] * 12] * 6, [[70] * 12, [80] * 12, [90] * 12]):
        found = statistics(accuracies(trials(rows)))
        assert [row["ks"] for row in found["normality"]] == [None, None, None]
        assert [row["lilliefors"] for row in found["normality"]] == [None, None, None]


def test_recommendation_is_the_best_mean_and_who_is_not_worse():
    flat, gaussian, exponential = recommendation(accuracies(AS_PAPER))
    assert (flat["method"], flat["paper"]) == ("area", None)
    assert flat["equal"] == ["weighted-area"]
    assert flat["accuracy"] == pytest.approx(0.834)
    assert flat["sd"] == pytest.approx(np.std([84, 84, 80, 83, 86], ddof=1) / 100)
    # 2, 1, 0, 2, 1 points: t is 1.2 over sqrt(0.7 / 5), p 0.03
    assert flat["undecided"] == []
    assert (gaussian["method"], gaussian["paper"]) == ("area", "area")
    assert (exponential["method"], exponential["paper"]) == ("max", "max")
    assert [each["method"] for each in exponential["against"]] == list(METHODS[1:])
    assert exponential["undecided"] == exponential["equal"] == []
    # one trial decides nothing
    (_, once, _) = recommendation(accuracies(trials([[80] * 4 + [70, 71, 70, 71] + [80] * 4])))
    assert once["method"] == "area" and once["sd"] is None
    assert once["equal"] == ["weighted-area"] and once["undecided"] == ["max", "weighted-max"]


def test_bad_trials():
    state = trials([[80] * 12, [81] * 12])
    state["trials"][1]["seed"] = 0
    with pytest.raises(DataError, match="seed 0 occurs twice"):
        accuracies(state)
    with pytest.raises(DataError, match="101 right answers of 100 test samples"):
        accuracies(trials([[80] * 11 + [101]]))
