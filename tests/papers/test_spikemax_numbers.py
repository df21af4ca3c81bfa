"""Rows, latencies, spikes and claims of the Spikemax reproduction, from states made by hand."""

import copy
import json
import math

import pytest
from scipy import special

from nengo_tactile.errors import DataError
from nengo_tactile.papers.spikemax import PAPER, SpikemaxPlan
from nengo_tactile.papers.spikemax import published as paper
from nengo_tactile.papers.spikemax.findings import at_equal_accuracy
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.papers.spikemax.trials import TITLES, grouped
from tests.support.spikemax_states import HITS, state, states

FAST = {"spikemax_g": "spikemax"}  # then all spikemax losses take less than half the time


def summary(*found):
    every = [state for states in found for state in states]
    return PAPER.results(SpikemaxPlan(seed=10), dict(enumerate(every)))


def row_of(results, name):
    (row,) = (row for row in results["rows"] if row["name"] == name)
    return row


def measure_of(results, loss, data="nmnist"):
    (found,) = (m for m in results["measures"] if (m["data"], m["loss"]) == (data, loss))
    return found


def comparison_of(results, loss, data="nmnist"):
    (found,) = (c for c in results["comparisons"] if (c["data"], c["loss"]) == (data, loss))
    return found


def claim_of(results, start):
    (found,) = (c for c in results["claims"] if c["claim"].startswith(start))
    return found


def test_rows_beside_the_paper():
    results = summary(states("nmnist"))
    row = row_of(results, "N-MNIST, spike-rate")
    assert (row["paper"], row["paper_sd"], row["paper_parameters"]) == (0.9933, 0.0003, 2_171_728)
    assert row["ours_mean"] == pytest.approx(0.93)
    assert row["ours_sd"] == pytest.approx(0.02 / math.sqrt(2))
    assert (row["n_splits"], row["n_test"], row["n_train"], row["seeds"]) == (2, 100, 400, [10, 11])
    assert (row["data"], row["parameters"], row["delays"]) == ("recordings of N-MNIST", 750, 35)
    assert row["train_accuracy"] == pytest.approx(0.955) and row["step_ms"] == 10.0
    # the table at hand does not say which of two rows is which
    for loss in ("spikemax_g", "spikemax_s"):
        row = row_of(results, f"N-MNIST, {loss}")
        assert row["paper"] is None
        assert row["paper_either"] == [[0.9933, 0.0004], [0.9926, 0.0006]]
    # what was not run has the paper's numbers alone
    gesture = row_of(results, "DVS Gesture, spikemax")
    assert (gesture["paper"], gesture["ours_mean"], gesture["n_test"]) == (0.9583, None, 0)
    others = [row for row in results["rows"] if row["table"] == "others"]
    assert "N-MNIST, Lee et al. 2016" in [row["name"] for row in others]
    assert {row["task"] for row in others} == {"nmnist", "dvs-gesture", "ntidigits"}
    assert len({tuple(row) for row in results["rows"]}) == 1  # the same keys in all


def test_rows_of_other_papers():
    found = [
        *states("eskin", ("spike-rate",)),
        state("eskin", "spike-count", 0, HITS["spike-rate"][0]),
        state("ev-objects", "spikemax", 0, HITS["spikemax"][0]),
    ]
    results = summary(found)
    slayer = row_of(results, "e-skin, spike-count")
    assert (slayer["paper"], slayer["paper_sd"], slayer["ours_sd"]) == (0.81, 0.01, None)
    assert row_of(results, "e-skin, spike-rate")["paper"] is None
    assert (
        row_of(results, "Ev-Objects, TactileSGNet, Gu et al. 2020, approximately")["paper"] == 0.9
    )


def test_simulated_nmnist_stands_beside_the_same_numbers():
    results = summary(states("nmnist-simulated"))
    assert row_of(results, "N-MNIST, simulated, spike-rate")["paper"] == 0.9933
    tasks = [row["task"] for row in results["rows"] if row["table"] == "table1"]
    assert "nmnist" not in tasks
    both = summary(states("nmnist"), states("nmnist-simulated"))
    assert [row["name"] for row in both["rows"]].count("N-MNIST, Lee et al. 2016") == 1


def test_latency_is_the_first_step_within_a_point():
    results = summary(states("nmnist"))
    assert {
        loss: (m["latency"]["step"], m["latency"]["mean_step"], m["settled"]["step"])
        for loss in HITS
        for m in [measure_of(results, loss)]
    } == {
        "spike-rate": (10, 9.5, 10),
        "spikemax": (4, 4.0, 6),
        "spikemax_g": (6, 6.0, 6),
        "spikemax_s": (3, 3.0, 3),
    }
    time = measure_of(results, "spike-rate")["latency"]
    assert (time["ms"], time["mean_ms"]) == (100, 95)
    assert time["sd_ms"] == pytest.approx(10 * math.sqrt(0.5))
    assert measure_of(results, "spike-rate")["paper_latency_ms"] == 250
    assert measure_of(results, "spikemax")["settled"]["mean_step"] == 5


def test_accuracy_over_time():
    found = measure_of(summary(states("nmnist")), "spikemax")
    assert found["accuracy_over_time"][3:5] == [0.92, 0.86]
    assert found["accuracy_sd_over_time"][4] == pytest.approx(0.12 / math.sqrt(2))
    # shares of ten steps: 5 and 10 % are both the first
    assert [at["step"] for at in found["at"]] == [1, 2, 4, 5, 8, 10]
    assert (found["at"][2]["ms"], found["at"][2]["mean"]) == (40, 0.92)


def test_spikes_and_training():
    results = summary(states("nmnist"))
    found = measure_of(results, "spike-rate")
    assert found["spikes"]["output"] == {"mean": 25, "sd": pytest.approx(10 / math.sqrt(2))}
    assert found["all_spikes"] == {"mean": 1100, "sd": pytest.approx(200 / math.sqrt(2))}
    assert found["input_spikes"] == 300
    assert found["seconds"] == {"training": 61, "testing": 1.5}
    assert found["loss_over_epochs"]["mean"] == pytest.approx([2, 1.1, 0.5])
    assert comparison_of(results, "spikemax_s")["spikes"]["ratio"] == pytest.approx(250 / 1100)


def test_comparisons_are_paired():
    """Latencies 4 and 4 against 9 and 10: differences of mean -5.5 and standard error 0.5."""
    found = comparison_of(summary(states("nmnist")), "spikemax")
    latency = found["latency"]
    assert (latency["step"], latency["reference_step"], latency["ratio"]) == (4, 10, 0.4)
    assert latency["difference"] == -5.5
    assert latency["p"] == pytest.approx(special.betainc(0.5, 0.5, 1 / (1 + 11**2)))
    assert found["settled"]["ratio"] == 0.6
    # 92 % is reached at step 4, spike-rate's own at step 10
    assert found["catches_up"] == {"step": 4, "reference_step": 10, "ratio": 0.4}
    assert found["accuracy"]["equal"] and found["accuracy"]["p"] is None
    assert found["n_pairs"] == 2 and found["step_ms"] == 10


def test_only_trials_of_the_same_seed_are_compared():
    found = states("nmnist", ("spike-rate",)) + states("nmnist", ("spikemax",))[1:]
    pair = comparison_of(summary(found), "spikemax")
    assert pair["n_pairs"] == 1 and pair["latency"]["p"] is None
    assert pair["latency"]["reference_step"] == 10  # of the second trial alone
    apart = states("nmnist", ("spike-rate",))[:1] + states("nmnist", ("spikemax",))[1:]
    assert summary(apart)["comparisons"] == [] == summary(apart)["claims"]


def test_half_the_time_on_two_data_sets():
    together, single = "All spikemax losses reach", "spikemax_g reaches"
    slow = summary(states("nmnist"), states("eskin"))
    assert claim_of(slow, together)["on"] == {"nmnist": False, "eskin": False}
    assert claim_of(slow, together)["holds"] is False
    assert claim_of(slow, single)["holds"] is False
    assert claim_of(slow, "spikemax reaches")["holds"] is True
    assert claim_of(slow, "spikemax_s reaches")["holds"] is True
    text = claim_of(slow, "spikemax reaches")["ours"]
    assert text.startswith("on 2 of 2 (N-MNIST, e-skin); N-MNIST: spikemax 40 of 100 ms (0.40, p 0")
    fast = summary(states("nmnist", swap=FAST), states("eskin", swap=FAST))
    assert claim_of(fast, together)["holds"] is True
    assert claim_of(fast, "Stricter")["holds"] is True
    once = summary(states("nmnist", swap=FAST), states("eskin"))
    assert claim_of(once, together)["on"] == {"nmnist": True, "eskin": False}
    assert claim_of(once, together)["holds"] is False


def test_what_is_missing_decides_nothing():
    together = "All spikemax losses reach"
    one = summary(states("nmnist", swap=FAST))
    assert claim_of(one, together)["on"] == {"nmnist": True}
    assert claim_of(one, together)["holds"] is None
    # N-MNIST and its simulation are one data set
    same = summary(states("nmnist", swap=FAST), states("nmnist-simulated", swap=FAST))
    assert claim_of(same, together)["holds"] is None
    some = ("spike-rate", "spikemax")
    partial = summary(states("nmnist", some), states("eskin", some))
    assert claim_of(partial, together)["on"] == {"nmnist": None, "eskin": None}
    assert claim_of(partial, together)["holds"] is None
    text = claim_of(partial, together)["ours"]
    assert text.startswith("on 0 of 2 (undecided: N-MNIST, e-skin); N-MNIST: spikemax 40 of 100")
    assert claim_of(partial, "spikemax reaches")["holds"] is True
    assert not [c for c in partial["claims"] if c["claim"].startswith("spikemax_s reaches")]


def test_a_network_that_has_not_learnt_is_not_fast():
    flat = [[40] * 10] * 2
    found = states("nmnist", ("spike-rate",))
    found += [state("nmnist", "spikemax", t, flat[t]) for t in (0, 1)]
    results = summary(found)
    pair = comparison_of(results, "spikemax")
    assert pair["latency"]["ratio"] == 0.1 and not pair["learnt"]
    assert pair["catches_up"] == {"step": None, "reference_step": 10, "ratio": None}
    claim = claim_of(results, "spikemax reaches")
    assert claim["on"] == {"nmnist": False} and "has not learnt" in claim["ours"]
    assert "spikemax never" in claim_of(results, "Stricter")["ours"]


def test_fewest_and_most_spikes():
    """In two trials 1,000 and 1,200, 800 and 900, 500 and 600, 200 and 300 of spikemax_s."""
    results = summary(states("nmnist"), states("eskin"))
    least, most = claim_of(results, "spikemax_s networks"), claim_of(results, "spike-rate networks")
    assert least["holds"] is True and most["holds"] is True
    # 300 less in both, and 200 and 300 more: t is 250 over 50
    assert "N-MNIST: spikemax_s 250, spikemax 550 (no test)" in least["ours"]
    p = special.betainc(0.5, 0.5, 1 / (1 + 5**2))
    assert f"N-MNIST: spike-rate 1,100, spikemax_g 850 (p {p:.3f})" in most["ours"]
    others = summary(states("nmnist", ("spike-rate", "spikemax_s")))
    assert claim_of(others, "spikemax_s networks")["on"] == {"nmnist": None}


def test_similar_accuracy():
    results = summary(states("nmnist"))
    assert claim_of(results, "All losses are similarly")["holds"] is True
    # ten points less in both trials: the same difference, so there is nothing to test
    worse = [[h - 10 for h in HITS["spikemax"][t]] for t in (0, 1)]
    found = states("nmnist", ("spike-rate", "spikemax_g", "spikemax_s"))
    same = found + [state("nmnist", "spikemax", t, worse[t]) for t in (0, 1)]
    assert claim_of(summary(same), "All losses are similarly")["holds"] is None
    # thirty and thirty-two points less: t of 31 with one degree of freedom, p of 0.021
    worse = [[h - 30 - 2 * t if h > 40 else 5 for h in HITS["spikemax"][t]] for t in (0, 1)]
    claim = claim_of(
        summary(found + [state("nmnist", "spikemax", t, worse[t]) for t in (0, 1)]),
        "All losses are similarly",
    )
    assert claim["holds"] is False and "spikemax -31.00 (p 0.021)" in claim["ours"]


def test_results_are_plain_json():
    results = summary(states("nmnist"), states("eskin", ("spikemax",)))
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert (results["seed"], results["paper"]) == (10, paper.TITLE)
    empty = summary()
    assert empty["measures"] == [] == empty["claims"]
    assert {row["task"] for row in empty["rows"]} == set(paper.BENCHMARKS)


def test_order_does_not_matter():
    found = states("nmnist") + states("eskin", ("spikemax", "spike-rate"))
    assert summary(found) == summary(found[::-1])
    assert list(grouped(found[::-1])) == ["nmnist", "eskin"]


def test_the_paper_in_its_own_terms():
    """Table I: (weights of dense layers; the shares of its prose) agree with each other."""
    assert paper.BENCHMARKS["ntidigits"].parameters == 64 * 256 + 256 * 256 + 256 * 11
    gesture = paper.BENCHMARKS["dvs-gesture"]
    rows = [*gesture.accuracy.values(), *gesture.either]
    means = [row.mean for row in rows]
    assert max(means) - min(means) == pytest.approx(paper.SIMILAR)
    assert set(paper.STANDS_FOR) <= set(TITLES) and set(paper.OTHERS) <= set(TITLES)


BAD = [
    ({"data": "mnist"}, "data 'mnist' is unknown: give one of nmnist"),
    ({"loss": "spikemax_x"}, "loss 'spikemax_x' is unknown"),
    ({"n_test": 0}, "0 test samples, 10 steps of 10000"),
    ({"bin_us": 0}, "steps of 0 us"),
    ({"n_steps": 9}, "nmnist, spike-rate, trial 0: hits of 10 steps, not 9"),
    ({"hits_over_time": [101] * 10}, "101 right answers of 100 test samples"),
    ({"hits_over_time": [-1] + [92] * 9}, "-1 right answers"),
    ({"accuracy": 0.91}, "accuracy 0.91, but 92 of 100 test samples"),
    ({"accuracy": math.nan}, "accuracy nan"),
    ({"spikes": {"hidden": -1.0}}, "-1.0 spikes in hidden"),
    ({"spikes": {}}, "no spikes of any layer"),
    ({"input_spikes": math.inf}, "inf spikes in input"),
    ({"loss_over_epochs": [1.0]}, "1 losses and 3 accuracies over epochs"),
    ({"loss_over_epochs": [1.0, math.nan, 1.0]}, "epoch 2 are nan and 0.8"),
    ({"trial": 1}, "nmnist, spike-rate: trial 1 occurs twice"),
    ({"seed": 11}, "nmnist, spike-rate: seed 11 occurs twice"),
    ({"epochs": 4}, "trial 0 and nmnist, spike-rate, trial 1: epochs are 4 and 3"),
    ({"network": "20-5"}, "network are 20-5 and 20-30-5"),
    ({"spikes": {"dense": 1.0}}, "layers are"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_states(change, message):
    found = copy.deepcopy(states("nmnist"))
    found[0].update(change)
    with pytest.raises(DataError, match=message):
        summary(found)


def test_a_state_that_lacks_something():
    found = states("nmnist")
    del found[0]["seconds"], found[0]["loss"]
    with pytest.raises(DataError, match=r"the state of nmnist, \?, 0 has no 'loss' and no 'sec"):
        summary(found)


def test_runs_have_the_papers_settings_where_it_has_them():
    assert list(TITLES) == sorted(SETTINGS, key=list(TITLES).index)
    assert set(paper.BENCHMARKS) < set(paper.STANDS_FOR.values()) < set(SETTINGS)
    exact = {"nmnist-paper": "nmnist", "dvs-gesture": "dvs-gesture", "ntidigits": "ntidigits"}
    for data, name in exact.items():
        assert paper.STANDS_FOR[data] == name
        ours, theirs = SETTINGS[data], paper.BENCHMARKS[name]
        assert (ours.network, ours.rates, ours.window) == (
            *(theirs.network, theirs.rates, theirs.window),
        )
        ms = ours.layout.bin_us / 1000
        assert (ours.neuron.tau_s * ms, ours.neuron.tau_r * ms) == (theirs.tau_s, theirs.tau_r)


def test_time_to_equal_accuracy():
    """By hand: all end at 93 of 100, so that 92 count, all answers together."""
    results = summary(states("nmnist"))
    found = at_equal_accuracy(results["measures"])
    assert [each["loss"] for each in found] == [
        "spike-rate",
        "spikemax",
        "spikemax_g",
        "spikemax_s",
    ]
    assert [each["ms"] for each in found] == [100, 40, 60, 30]
    assert [each["ratio"] for each in found] == [1, 0.4, 0.6, 0.3]
    assert all(each["level"] == pytest.approx(0.92) for each in found)
    # of 100, 93 may be fewer than 92, so that the end decides nothing; 85.5 may not be 92
    assert (found[0]["low_ms"], found[0]["high_ms"]) == (100, None)
    # one that ends lower lowers the level for all
    low = copy.deepcopy(results["measures"])
    low[1]["accuracy_over_time"] = [min(value, 0.5) for value in low[1]["accuracy_over_time"]]
    assert [each["ms"] for each in at_equal_accuracy(low)] == [50, 20, 50, 20]
    assert all(each["ratio"] is None for each in at_equal_accuracy(results["measures"][1:]))
