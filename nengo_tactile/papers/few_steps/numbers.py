"""Rows of the study, from the sums that its cells keep."""

from nengo_tactile.papers.few_steps.plan import NETWORKS, SETTINGS


def summarise(plan, states):
    """All numbers.

    Returns
    -------
    dict
        ``rows``: for each network, kind of spikes and number of steps ``accuracy``,
        ``lost_points`` and ``bound_points`` (of the network whose layers wait) from ``ann``, the
        trained network's, on ``n_test`` samples; ``spikes`` (packets), ``units`` and ``synops`` of
        a sample.
    """
    found = [row(state) for state in states.values() if state and state["n_done"]]
    return {"engine": "event", "rows": found}


def row(state):
    """One of these rows."""
    n = state["n_done"]
    ann, accuracy = state["ann_hits"] / n, state["hits"] / n
    return {
        **{key: state[key] for key in ("network", "setting", "n_steps", "data")},
        "binary": SETTINGS[state["setting"]].is_binary,
        "n_test": n,
        "ann": ann,
        "accuracy": accuracy,
        "lost_points": 100 * (ann - accuracy),
        "bound_points": 100 * (ann - state["bound_hits"] / n),
        **{key: state[key] / n for key in ("spikes", "units", "synops")},
        "images_per_second": n / state["seconds"],
        "conversion_seconds": state["conversion_seconds"],
    }


def line(plan, key, state):
    """A cell's result, for the terminal."""
    found = row(state)
    return (
        f"{NETWORKS[found['network']]}, {SETTINGS[found['setting']].title}, {found['n_steps']} "
        f"steps: {found['accuracy']:.4f}, ANN {found['ann']:.4f}, {found['lost_points']:+.2f} "
        f"points lost ({found['bound_points']:+.2f} if layers waited), {found['spikes']:,.0f} "
        f"packets, {found['n_test']:,} samples"
    )
