"""Rows beside the sigma-delta paper's, and its curves, from the sums that cells keep."""

import numpy as np

from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.papers.sigma_delta.plan import ANN_OPERATIONS, CODING, NEURONS, SETTINGS, SHOWN

#: Points of accuracy within which the ANN's counts as reached.
REACHED = 0.02


def summarise(plan, states):
    """Rows of Table I, curves of Figures 3 and 4, Figure 2's image."""
    return {
        "engine": "event",
        "rows": rows_of(states),
        "curves": [curve(SETTINGS[key], state) for key, state in states.items()],
        "figure2": states.get(SHOWN, {}).get("first"),
        "ann_operations": ANN_OPERATIONS,
    }


def line(plan, key, state):
    """A setting's result, for the terminal."""
    (row,) = (row for row in rows_of({key: state}) if row["kind"] == "snn")
    return (
        f"{SETTINGS[key].title}: {row['ours_mean']:.4f}, {row['lost_points']:+.2f} points lost, "
        f"{row['spikes']:.3f} spikes per neuron, {row['synops']:,.0f} accumulations, "
        f"{row['n_test']:,} images"
    )


def rows_of(states):
    """Rows of Table I and ours: kind "ann", "quantised" or "snn"; spikes per neuron and image."""
    rows = []
    if states:
        first = max(states.values(), key=lambda state: state["n_done"])
        rows.append(_row("ANN", first, first["ann_hits"], 0.9921, "ann", setting=None))
        name = "ANN, images of one bit"
        rows.append(_row(name, first, first["bit_hits"], None, "ann", setting=None))
    for key, state in states.items():
        setting = SETTINGS[key]
        paper, n = setting.paper, state["n_done"]
        if setting.spikes_by_change and key != "outputs":
            name, known = f"quantised ANN, {setting.title}", paper.get("quantised")
            rows.append(_row(name, state, state["quantised_hits"], known, "quantised"))
        rows.append(
            _row(
                f"SNN, {setting.title}",
                state,
                state["hits"][-1],
                paper.get("snn"),
                "snn",
                spikes=state["spikes"][-1] / n / NEURONS,
                paper_spikes=paper.get("spikes"),
                synops=state["synops"][-1] / n,
                paper_lost_points=100 * (paper["ann"] - paper["snn"]) if paper else None,
                n_steps=None if setting.spikes_by_change else setting.n_steps,
                thresholds=state.get("thresholds", {}),
            )
        )
    return rows


def _row(name, state, hits, paper, kind, **more):
    n = state["n_done"]
    return {
        **{"name": name, "paper": paper, "paper_sd": None, "ours_mean": hits / n},
        **{"ours_sd": None, "n_splits": 1, "n_test": n, "data": TASKS["mnist"].about},
        **{"setting": state["setting"], "kind": kind},
        **dict.fromkeys(("spikes", "paper_spikes", "synops")),
        "lost_points": 100 * (state["ann_hits"] - hits) / n,
        **{"paper_lost_points": None, "n_steps": None, "thresholds": {}},
        **more,
    }


def curve(setting, state):
    """Figures 3 and 4: accuracy by time, spikes and operations, means over the images."""
    n = state["n_done"]
    accuracy, synops = np.array(state["hits"]) / n, np.array(state["synops"]) / n
    time = np.arange(1, setting.n_steps + 1)
    if setting.spikes_by_change:
        time = np.minimum(time, CODING.n_steps) * CODING.span / CODING.n_steps
    short = np.flatnonzero(accuracy < state["ann_hits"] / n - REACHED / 100 - 1e-9)
    first = short[-1] + 1 if len(short) else 0
    layers = state["layers"].items()
    return {
        "setting": state["setting"],
        "time": time.tolist(),
        "accuracy": accuracy.tolist(),
        "spikes": (np.array(state["spikes"]) / n / NEURONS).tolist(),
        "synops": synops.tolist(),
        "ann_accuracy": state["ann_hits"] / n,
        "synops_to_ann": float(synops[first]) if first < len(synops) else None,
        "images_per_second": n / state["seconds"] if state["seconds"] else None,
        "layers": {name: {k: v / n for k, v in sums.items()} for name, sums in layers},
    }
