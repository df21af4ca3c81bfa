"""All numbers of the Spikemax reproduction, beside the paper's, from the states of its runs."""

import dataclasses

import numpy as np

from nengo_tactile.analysis.accuracy import first_step_within, latency_step, mean_and_sd
from nengo_tactile.papers.spikemax import published as paper
from nengo_tactile.papers.spikemax.findings import claims, comparisons
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.papers.spikemax.trials import TITLES, grouped

#: Shares of the sequence after which tables give the accuracy.
TIMES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def summarise(plan, states):
    """All numbers.

    Parameters
    ----------
    plan : SpikemaxPlan
    states : dict of str to dict
        What the cells keep, see `trials.grouped`; losses and trials may be missing.

    Returns
    -------
    dict
        ``rows`` (see `all_rows`), ``measures`` (see `measure`), ``comparisons`` and ``claims``
        (see `findings`).

    Raises
    ------
    DataError
        For bad states; see `trials.grouped`.
    """
    trials = grouped(states.values())
    compared = comparisons(trials)
    return {
        "engine": "SLAYER layers",
        "rows": all_rows(trials),
        "measures": [measure(each) for losses in trials.values() for each in losses.values()],
        "comparisons": compared,
        "claims": claims(trials, compared),
    }


def line(plan, key, state):
    """A run in a line, for the terminal."""
    return (
        f"{state['data']}, {state['loss']}, trial {state['trial'] + 1}: {state['accuracy']:.4f} of "
        f"{state['n_test']:,} test samples, {sum(state['spikes'].values()):,.0f} spikes each"
    )


def all_rows(trials):
    """Rows of Table I, and other published ones of the same data.

    Parameters
    ----------
    trials : dict
        Of `trials.grouped`.

    Returns
    -------
    list of dict
        As in the results.json of other reproductions (``name``, ``paper``, ``paper_sd``,
        ``ours_mean``, ``ours_sd``, ``n_splits``, ``n_test``, ``data``), and ``table`` ("table1",
        "others" for rows of other methods), ``task`` (data's key), ``loss`` (None in
        "others"), ``paper_either`` (mean and SD of the rows of Table I one of which is this
        loss's), ``network``, ``neuron``, ``rates``, ``window``, ``parameters``,
        ``paper_parameters``, ``delays``, ``train_accuracy``, ``n_train``, ``n_steps``,
        ``step_ms``, ``epochs`` and ``seeds``. Those of the paper that were not run have no
        ``ours_mean`` and an ``n_test`` of zero.
    """
    shown = [data for data in TITLES if data in trials or data in paper.BENCHMARKS]
    # the paper's row stands beside runs on whichever data are there
    if "nmnist" not in trials and {"nmnist-simulated", "nmnist-paper"} & set(trials):
        shown.remove("nmnist")
    rows, beside = [], []
    for data in shown:
        found = trials.get(data, {})
        losses = [n for n in paper.LOSSES if n in found or n in _published(data)]
        source = SETTINGS[data].about
        rows += [_row(data, loss, source, found.get(loss)) for loss in losses]
        known = paper.STANDS_FOR.get(data, data)
        if known not in beside:
            beside.append(known)
            rows += _others(known, source)
    return rows


def _others(data, source):
    """Rows of other methods."""
    return [
        _blank(
            table="others",
            name=f"{TITLES[data]}, {method}",
            paper=accuracy.mean,
            paper_sd=accuracy.sd,
            data=source,
            task=data,
            paper_parameters=parameters,
        )
        for method, parameters, accuracy in paper.OTHERS.get(data, ())
    ]


def _published(data):
    """Losses for which the paper has a row of these data, or one of two."""
    return [
        loss
        for loss in paper.LOSSES
        if paper.accuracy_of(data, loss) or paper.either_of(data, loss)
    ]


#: What a row holds, in this order; see `all_rows`.
_KEYS = (
    *("table", "name", "paper", "paper_sd", "ours_mean", "ours_sd", "n_splits", "n_test", "data"),
    *("task", "loss", "paper_either", "network", "neuron", "rates", "window", "parameters"),
    *("paper_parameters", "delays", "train_accuracy", "n_train", "n_steps", "step_ms", "epochs"),
    "seeds",
)


def _blank(**more):
    none = {"n_splits": 0, "n_test": 0, "n_train": 0, "paper_either": [], "seeds": []}
    return dict.fromkeys(_KEYS) | {"table": "table1"} | none | more


def _row(data, loss, source, found):
    published, benchmark = paper.accuracy_of(data, loss), paper.benchmark_of(data)
    mean, sd = dataclasses.astuple(published) if published else (None, None)
    row = _blank(
        name=f"{TITLES[data]}, {loss}",
        paper=mean,
        paper_sd=sd,
        data=source,
        task=data,
        loss=loss,
        paper_either=[list(dataclasses.astuple(each)) for each in paper.either_of(data, loss)],
        paper_parameters=benchmark.parameters if benchmark and loss in _published(data) else None,
    )
    if found is None:
        return row
    ours, first = mean_and_sd([s["accuracy"] for s in found.states]), found.states[0]
    taken = (
        *("network", "neuron", "rates", "window", "parameters", "delays"),
        *("n_train", "n_test", "n_steps", "epochs"),
    )
    return {
        **row,
        **{key: first[key] for key in taken},
        "ours_mean": ours.mean,
        "ours_sd": ours.sd,
        "n_splits": ours.n_splits,
        "train_accuracy": mean_and_sd([s["train_accuracy"] for s in found.states]).mean,
        "step_ms": found.step_ms,
        "seeds": found.seeds,
    }


def measure(trials):
    """What Figures 2 to 7 show of one loss, and what its training cost.

    Parameters
    ----------
    trials : trials.Trials

    Returns
    -------
    dict
        ``data``, ``title``, ``loss``, ``n_trials``, ``n_test``, ``n_steps`` and ``step_ms``.

        Over time: ``accuracy_over_time``, from the hits of all trials, and its SD over trials
        ``accuracy_sd_over_time`` (None for a single trial); ``latency``, first step within one
        point of the final accuracy, and ``settled``, from which step on it stays there, each with
        ``step`` and ``ms`` from the hits of all trials, and ``mean_step``, ``sd_step``,
        ``mean_ms`` and ``sd_ms`` over trials; ``paper_latency_ms`` (None where its prose names
        none); ``at``, dicts of ``step``, ``ms``, ``mean`` and ``sd`` at `TIMES`.

        Spikes of a test sample: ``spikes``, {layer: ``mean`` and ``sd`` over trials},
        ``all_spikes``, the same for all layers together, and ``input_spikes``.

        Of training: ``loss_over_epochs`` and ``accuracy_over_epochs``, each ``mean`` and ``sd``;
        ``seconds``, ``training`` and ``testing`` of one trial on average.
    """
    benchmark = paper.benchmark_of(trials.data)
    accuracies = trials.accuracies
    steps = [max(1, round(share * accuracies.shape[1])) for share in TIMES]
    return {
        "data": trials.data,
        "title": trials.title,
        "loss": trials.loss,
        "n_trials": len(trials.states),
        "n_test": trials.n_test,
        "n_steps": accuracies.shape[1],
        "step_ms": trials.step_ms,
        "accuracy_over_time": trials.mean_accuracy.tolist(),
        "accuracy_sd_over_time": _sd(accuracies),
        "latency": _time(first_step_within(trials.mean_accuracy), trials.latencies(), trials),
        "settled": _time(latency_step(trials.mean_accuracy), trials.settlings(), trials),
        "paper_latency_ms": benchmark.latency_ms.get(trials.loss) if benchmark else None,
        "at": [
            {"step": step, "ms": step * trials.step_ms, **_spread(accuracies[:, step - 1])}
            for step in dict.fromkeys(steps)
        ],
        "spikes": {layer: _spread(trials.spikes(layer)) for layer in trials.layers},
        "all_spikes": _spread(trials.spikes()),
        "input_spikes": _spread([s["input_spikes"] for s in trials.states])["mean"],
        **{key: _curve(trials, key) for key in ("loss_over_epochs", "accuracy_over_epochs")},
        "seconds": {
            key: _spread([s["seconds"][key] for s in trials.states])["mean"]
            for key in ("training", "testing")
        },
    }


def _spread(values):
    summary = mean_and_sd(values)
    return {"mean": summary.mean, "sd": summary.sd}


def _sd(values):
    """SD over trials, (n_trials, n) -> list of n, None for a single trial."""
    return values.std(axis=0, ddof=1).tolist() if len(values) > 1 else None


def _time(step, by_trial, trials):
    spread, ms = _spread(by_trial), trials.step_ms
    return {
        "step": step,
        "ms": step * ms,
        "mean_step": spread["mean"],
        "sd_step": spread["sd"],
        "mean_ms": spread["mean"] * ms,
        "sd_ms": None if spread["sd"] is None else spread["sd"] * ms,
    }


def _curve(trials, key):
    values = np.array([state[key] for state in trials.states], float)
    return {"mean": values.mean(axis=0).tolist(), "sd": _sd(values)}
