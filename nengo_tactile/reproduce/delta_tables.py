"""Rows beside the sigma-delta paper's, from the sums that `delta_cells` keeps."""

import numpy as np

from nengo_tactile.reproduce.delta_plan import CODING, MACS, NEURONS, PAPER_MACS, SETTINGS
from nengo_tactile.reproduce.tasks import TASKS

#: Points of accuracy within which the ANN's counts as reached.
REACHED = 0.02


def all_rows(states):
    """Rows of Table I, and ours beside them.

    Parameters
    ----------
    states : dict of str to dict
        Setting's key -> what `delta_cells.run_cell` returned.

    Returns
    -------
    list of dict
        As in the results.json of other reproductions (``name``, ``paper``, ``paper_sd``,
        ``ours_mean``, ``ours_sd``, ``n_splits``, ``n_test``, ``data``), and ``setting``,
        ``kind`` ("ann", "quantised" or "snn"), ``spikes`` and ``paper_spikes`` (per neuron and
        image), ``synops`` (per image), ``lost_points`` (from the ANN on the same grey images),
        ``thresholds`` and ``n_steps``.
    """
    rows = []
    if states:
        first = max(states.values(), key=lambda state: state["n_done"])
        rows.append(_row("ANN", first, "ann_hits", 0.9921, kind="ann"))
        rows.append(_row("ANN, images of one bit", first, "bit_hits", None, kind="ann"))
    for key, state in states.items():
        setting = SETTINGS[key]
        paper = setting.paper
        if setting.spikes_by_change and key != "outputs":
            name = f"quantised ANN, {setting.title}"
            rows.append(
                _row(name, state, "quantised_hits", paper.get("quantised"), kind="quantised")
            )
        row = _row(f"SNN, {setting.title}", state, "hits", paper.get("snn"), kind="snn")
        rows.append(
            {
                **row,
                "spikes": state["spikes"][-1] / state["n_done"] / NEURONS,
                "paper_spikes": paper.get("spikes"),
                "synops": state["synops"][-1] / state["n_done"],
                "paper_lost_points": 100 * (paper["ann"] - paper["snn"]) if paper else None,
                "n_steps": None if setting.spikes_by_change else setting.n_steps,
                "thresholds": state.get("thresholds", {}),
            }
        )
    return rows


def _row(name, state, hits, paper, kind):
    n, found = state["n_done"], state[hits]
    found = found[-1] if isinstance(found, list) else found
    return {
        "name": name,
        "paper": paper,
        "paper_sd": None,
        "ours_mean": found / n,
        "ours_sd": None,
        "n_splits": 1,
        "n_test": n,
        "data": TASKS["mnist"].about,
        "setting": None if name.startswith("ANN") else state["setting"],
        "kind": kind,
        "spikes": None,
        "paper_spikes": None,
        "synops": None,
        "lost_points": 100 * (state["ann_hits"] - found) / n,
        "paper_lost_points": None,
        "n_steps": None,
        "thresholds": {},
    }


def curves(states):
    """What Figures 3 and 4 show, one dict for each setting.

    Returns
    -------
    list of dict
        ``time`` (the paper's time units; steps with rate coding), and after each step
        ``accuracy``, ``spikes`` per neuron and ``synops``, means over the images.
        ``synops_to_ann``: the operations from which the accuracy stays within `REACHED` points
        of the ANN's, None if it never does.
    """
    found = []
    for key, state in states.items():
        setting, n = SETTINGS[key], state["n_done"]
        accuracy = np.array(state["hits"]) / n
        synops = np.array(state["synops"]) / n
        time = np.arange(1, setting.n_steps + 1)
        if setting.spikes_by_change:
            time = np.minimum(time, CODING.n_steps) * CODING.span / CODING.n_steps
        short = np.flatnonzero(accuracy < state["ann_hits"] / n - REACHED / 100 - 1e-9)
        first = short[-1] + 1 if len(short) else 0
        found.append(
            {
                "setting": key,
                "time": time.tolist(),
                "accuracy": accuracy.tolist(),
                "spikes": (np.array(state["spikes"]) / n / NEURONS).tolist(),
                "synops": synops.tolist(),
                "ann_accuracy": state["ann_hits"] / n,
                "synops_to_ann": float(synops[first]) if first < len(synops) else None,
                "images_per_second": n / state["seconds"] if state["seconds"] else None,
                "layers": {
                    name: {what: value / n for what, value in sums.items()}
                    for name, sums in state["layers"].items()
                },
            }
        )
    return found


#: Accumulations of the ANN for one image: by the paper's count, and with all of its channels.
ANN_OPERATIONS = {"paper's count": 2 * PAPER_MACS, "all channels": 2 * MACS}
