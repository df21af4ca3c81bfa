"""Rows of the study, from the sums that its cells keep."""

import numpy as np

from nengo_tactile.analysis.overlap import mean_of_overlaps
from nengo_tactile.papers.few_steps.plan import NETWORKS, SETTINGS


def summarise(plan, states):
    """All numbers.

    Returns
    -------
    dict
        ``rows``: for each network, kind of spikes and number of steps ``accuracy``,
        ``lost_points`` and ``bound_points`` (of the network whose layers wait) from ``ann``, the
        trained network's, on ``n_test`` samples; ``spikes`` (packets), ``units`` and ``synops`` of
        a sample. Of networks that decide at each place accuracies are of places, and ``overlap``,
        ``bound_overlap`` and ``ann_overlap`` mean intersections over unions.
    """
    found = [row(state) for state in states.values() if state and state["n_done"]]
    return {"engine": "event", "rows": found}


def row(state):
    """One of these rows."""
    n, n_decisions = state["n_done"], state["n_done"] * state["n_places"]
    ann, accuracy = state["ann_hits"] / n_decisions, state["hits"] / n_decisions
    return {
        **{key: state[key] for key in ("network", "setting", "n_steps", "data")},
        "binary": SETTINGS[state["setting"]].is_binary,
        "n_test": n,
        "ann": ann,
        "accuracy": accuracy,
        "lost_points": 100 * (ann - accuracy),
        "bound_points": 100 * (ann - state["bound_hits"] / n_decisions),
        **{key: state[key] / n for key in ("spikes", "units", "synops")},
        "images_per_second": n / state["seconds"],
        "conversion_seconds": state["conversion_seconds"],
        **{key[:-1]: _overlap(state[key]) for key in state if key.endswith("overlaps")},
    }


def _overlap(counts):
    """Mean intersection over union, from those of a cell's file."""
    return mean_of_overlaps(*np.reshape(counts, (2, -1)))


def line(plan, key, state):
    """A cell's result, for the terminal."""
    found = row(state)
    if "overlap" in found:
        return (
            f"{NETWORKS[found['network']]}, {SETTINGS[found['setting']].title}, "
            f"{found['n_steps']} steps: mean intersection over union {found['overlap']:.4f}, ANN "
            f"{found['ann_overlap']:.4f} ({found['bound_overlap']:.4f} if layers waited), "
            f"{found['spikes']:,.0f} packets, {found['n_test']:,} samples"
        )
    return (
        f"{NETWORKS[found['network']]}, {SETTINGS[found['setting']].title}, {found['n_steps']} "
        f"steps: {found['accuracy']:.4f}, ANN {found['ann']:.4f}, {found['lost_points']:+.2f} "
        f"points lost ({found['bound_points']:+.2f} if layers waited), {found['spikes']:,.0f} "
        f"packets, {found['n_test']:,} samples"
    )
