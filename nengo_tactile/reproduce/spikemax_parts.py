"""The Spikemax reproduction's tables in words, for the terminal and the report alike."""

from nengo_tactile.reproduce import spikemax_paper as paper
from nengo_tactile.reproduce.parts import Part, p_text, percent
from nengo_tactile.reproduce.spikemax_trials import TITLES


def _with_sd(mean, sd, write=percent):
    return write(mean) if sd is None else f"{write(mean)} ({write(sd)})"


def _count(value):
    """Write a number of spikes: whole from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _whole(value):
    return "-" if value is None else f"{value:,.0f}"


def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def paper_accuracy(row):
    """A row's published accuracy in words: one, one of two, or none."""
    if row["paper_either"]:
        return " or ".join(_with_sd(*each) for each in row["paper_either"])
    return _with_sd(row["paper"], row["paper_sd"])


def _table1_part(results):
    chosen = sorted(results["rows"], key=lambda row: list(TITLES).index(row["task"]))
    rows = [
        [
            TITLES[row["task"]],
            row["loss"] or row["name"].removeprefix(f"{TITLES[row['task']]}, "),
            _whole(row["paper_parameters"]),
            _whole(row["parameters"]),
            paper_accuracy(row),
            _with_sd(row["ours_mean"], row["ours_sd"]),
            *(_whole(row[key] or None) for key in ("n_splits", "n_train", "n_test")),
        ]
        for row in chosen
    ]
    return Part(
        "Table I: accuracy by data and loss",
        (
            *("data", "method", "weights, paper", "weights, ours", "paper", "ours", "trials"),
            *("trained on", "tested on"),
        ),
        rows,
        "Accuracy in per cent, mean (SD over trials); a dash: not run, or not published. Weights "
        "of ours are without axonal delays. Two rows: the table at hand calls both spikemax_s, "
        "and one must be spikemax_g's. e-skin, spike-count: SLAYER on ST-MNIST recordings, Table 2 "
        "of the ST-MNIST paper.",
    )


def _of(results, data, loss):
    """The comparison of a loss with spike-rate, or None."""
    for found in results["comparisons"]:
        if (found["data"], found["loss"]) == (data, loss):
            return found
    return None


def _p(compared):
    return "all equal" if compared["equal"] else p_text(compared["p"])


def _latency_part(results):
    rows = []
    for each in results["measures"]:
        beside, time = _of(results, each["data"], each["loss"]), each["latency"]
        rows.append(
            [
                each["title"],
                each["loss"],
                percent(each["accuracy_over_time"][-1]),
                f"{time['ms']:,.0f} ({time['step']:,})",
                _with_sd(time["mean_ms"], time["sd_ms"], _whole),
                _ratio(beside and beside["latency"]["ratio"]),
                _p(beside["latency"]) if beside else "-",
                _whole(each["paper_latency_ms"]),
            ]
        )
    return Part(
        "Time to the final accuracy",
        (
            *("data", "loss", "accuracy", "latency, ms (steps)", "by trial, ms"),
            *("to spike-rate's", "p", "paper, ms"),
        ),
        rows,
        "Latency: the first step within one point of the final accuracy, all trials' right "
        "answers together; by trial: mean (SD). To spike-rate's: ratio of latencies; p: paired t "
        "test over trials of the same seed, two-sided, not corrected for the number of tests. The "
        "paper's are approximate, and it does not say how near the final accuracy they are.",
    )


def _other_times_part(results):
    rows = []
    for each in results["measures"]:
        beside, time = _of(results, each["data"], each["loss"]), each["settled"]
        rows.append(
            [
                each["title"],
                each["loss"],
                f"{time['ms']:,.0f} ({time['step']:,})",
                _with_sd(time["mean_ms"], time["sd_ms"], _whole),
                _ratio(beside and beside["settled"]["ratio"]),
                *(_catches_up(beside) if beside else ("-", "-")),
            ]
        )
    return Part(
        "Other times",
        (
            *("data", "loss", "settled, ms (steps)", "by trial, ms", "to spike-rate's"),
            *("at its accuracy, ms", "to spike-rate's own"),
        ),
        rows,
        "Settled: from then on the accuracy stays within one point of the final one. At its "
        "accuracy: the first time with spike-rate's final accuracy, less one point.",
        short=False,
    )


def _catches_up(beside):
    found = beside["catches_up"]
    if found["step"] is None:
        return "never", "-"
    return _whole(found["step"] * beside["step_ms"]), _ratio(found["ratio"])


def _spikes_part(results):
    rows = []
    for each in results["measures"]:
        beside = _of(results, each["data"], each["loss"])
        rows.append(
            [
                each["title"],
                each["loss"],
                _with_sd(*each["all_spikes"].values(), _count),
                _ratio(beside and beside["spikes"]["ratio"]),
                _p(beside["spikes"]) if beside else "-",
                _count(each["input_spikes"]),
            ]
        )
    return Part(
        "Spikes of a sample",
        ("data", "loss", "all layers", "to spike-rate's", "p", "in the input"),
        rows,
        "Mean of the test samples over the whole sequence (SD over trials); p: paired t test.",
    )


def _claims_part(results):
    words = {True: "yes", False: "no", None: "undecided"}
    rows = [
        [claim["claim"], claim["section"], claim["ours"], words[claim["holds"]]]
        for claim in results["claims"]
    ]
    return Part(
        "What the paper finds",
        ("finding", "section", "our trials", "holds"),
        rows,
        "N-MNIST and its simulation count as one data set. Undecided: losses, data or trials are "
        "missing, or differences may be chance. A loss with less than half of spike-rate's "
        "accuracy has not learnt, and its latency does not count.",
    )


def _layers_part(results, data):
    chosen = [each for each in results["measures"] if each["data"] == data]
    layers = list(chosen[0]["spikes"])
    rows = [
        [
            each["loss"],
            *(_with_sd(*each["spikes"][layer].values(), _count) for layer in layers),
            _with_sd(*each["all_spikes"].values(), _count),
        ]
        for each in chosen
    ]
    return Part(
        f"{TITLES[data]}: spikes by layer",
        ("loss", *layers, "all layers"),
        rows,
        "Mean of a test sample (SD over trials).",
        short=False,
    )


def _times_part(results, data):
    chosen = [each for each in results["measures"] if each["data"] == data]
    rows = [
        [each["loss"], *(_with_sd(at["mean"], at["sd"]) for at in each["at"])] for each in chosen
    ]
    return Part(
        f"{TITLES[data]}: accuracy after part of the sequence",
        ("loss", *(f"{at['ms']:,.0f} ms" for at in chosen[0]["at"])),
        rows,
        "Accuracy in per cent, mean (SD over trials).",
        short=False,
    )


def _settings_part(results):
    rows = []
    first = {row["task"]: row for row in reversed(results["rows"]) if row["n_splits"]}
    for data in (data for data in TITLES if data in first):
        row, benchmark = first[data], paper.benchmark_of(data)
        rows.append(
            [
                TITLES[data],
                row["data"],
                row["network"],
                "-" if benchmark is None else _published_settings(benchmark),
                _our_settings(row),
                _whole(row["delays"]),
                f"{row['n_steps']:,} of {row['step_ms']:g} ms",
            ]
        )
    return Part(
        "Settings",
        ("data", "what they are", "network", "paper", "neurons and losses", "delays", "steps"),
        rows,
        "Neurons and losses: of ours. Rates: wanted spikes a step of the right output and of the "
        "others, for spike-rate; W: spikemax's window. The paper's steps are of 1 ms.",
        short=False,
    )


def _published_settings(benchmark):
    true, false = benchmark.rates
    return (
        f"{benchmark.network}, tau_s {benchmark.tau_s:g} ms, tau_r {benchmark.tau_r:g} ms, rates "
        f"{true:g} and {false:g}, W {benchmark.window} ms"
    )


def _our_settings(row):
    """Neurons, rates and window, with times in milliseconds."""
    ms, (true, false) = row["step_ms"], row["rates"]
    neuron = [
        f"{key} {value * ms:g} ms" if key.startswith("tau") else f"{key} {value}"
        for key, value in row["neuron"].items()
    ]
    return f"{', '.join(neuron)}, rates {true:g} and {false:g}, W {row['window'] * ms:g} ms"


def _cost_part(results):
    epochs = {(row["task"], row["loss"]): row["epochs"] for row in results["rows"]}
    rows = [
        [
            each["title"],
            each["loss"],
            _whole(epochs[each["data"], each["loss"]]),
            *(f"{each['seconds'][key]:,.1f}" for key in ("training", "testing")),
        ]
        for each in results["measures"]
    ]
    return Part(
        "Time",
        ("data", "loss", "epochs", "training, s", "testing, s"),
        rows,
        "Of one trial, on average.",
        short=False,
    )


def parts(results):
    """All tables that have rows.

    Parameters
    ----------
    results : dict
        Of `spikemax_tables.summarise`.

    Returns
    -------
    dict of str to Part
        ``layers-<data>`` and ``times-<data>`` are those of one data set.
    """
    found = {
        "table1": _table1_part(results),
        "latency": _latency_part(results),
        "times": _other_times_part(results),
        "spikes": _spikes_part(results),
        "claims": _claims_part(results),
        "settings": _settings_part(results),
        "cost": _cost_part(results),
    }
    for data in dict.fromkeys(each["data"] for each in results["measures"]):
        found[f"times-{data}"] = _times_part(results, data)
        found[f"layers-{data}"] = _layers_part(results, data)
    return {name: part for name, part in found.items() if part.rows}
