"""Rows beside the Spiking ResNet paper's, from the sums that `resnet_cells` keeps."""

from nengo_tactile.conversion.layerwise import rate_at
from nengo_tactile.reproduce.resnet_plan import (
    FEW_STEPS,
    PAPER_PLAIN_LOSS,
    PAPER_TABLE1,
    PAPER_TABLE2,
    PAPER_TABLE3,
    SETTINGS,
    Network,
)
from nengo_tactile.reproduce.tasks import TASKS

#: Table or figure -> its title.
TITLES = {
    "table1": "Table 1: the ANN and its spiking network",
    "table2": "Table 2: shortcut normalisation",
    "table3": "Table 3: error compensation",
    "figure4": "Figure 4: plain and residual networks",
    "steps": "Accuracy after few time steps",
}


def all_rows(plan, states):
    """Rows of all tables.

    Parameters
    ----------
    plan : Plan
    states : dict of (str, str) to dict
        Network's name and setting's key -> what `resnet_cells.run_cell` returned.

    Returns
    -------
    list of dict
        As in the results.json of st-mnist (``name``, ``paper``, ``paper_sd``, ``ours_mean``,
        ``ours_sd``, ``n_splits``, ``n_test``, ``data``), and ``table``, ``network``,
        ``setting``, ``late`` (read-out), ``n_steps``, ``lost_points`` and ``paper_lost_points``
        (from the ANN on the same images; None for rows of ANNs).
    """
    makers = {
        "table1": _table1,
        "table2": _table2,
        "table3": _table3,
        "figure4": _figure4,
        "steps": _steps,
    }
    rows = []
    for part in plan.parts:
        if part in makers:
            for network in map(Network, plan.networks):
                if part in network.parts():
                    rows += makers[part](network, states)
            if part == "table1":
                rows += _left_out(plan)
    return rows


def _row(table, network, key, state, paper=None, step=None, paper_ann=None, late=False):
    """A spiking network's row; ``key`` None for the ANN it came from, ``late`` by late read-out."""
    title = "ANN" if key is None else network.setting_title(key)
    title += ", late read-out" * late
    row = {
        "table": table,
        "name": f"{network.title}, {title}",
        "paper": paper,
        "paper_sd": None,
        "ours_mean": None,
        "ours_sd": None,
        "n_splits": 1,
        "n_test": 0,
        "data": TASKS[network.task].about,
        "network": network.name,
        "setting": key,
        "late": late,
        "n_steps": None,
        "lost_points": None,
        "paper_lost_points": None,
    }
    if None not in (paper, paper_ann):
        row["paper_lost_points"] = 100 * (paper_ann - paper)
    if state is None:
        return row
    n = row["n_test"] = state["n_done"]
    if key is None:
        return {**row, "ours_mean": state["ann_hits"] / n}
    step = state["n_steps"] if step is None else step
    hits = state["late_hits" if late else "hits"][step - 1]
    return {
        **row,
        "ours_mean": hits / n,
        "n_steps": step,
        "lost_points": 100 * (state["ann_hits"] - hits) / n,
        "factor": next(iter(state.get("factors", {}).values()), None),
    }


def _table1(network, states):
    depth, ann, snn = PAPER_TABLE1[network.task]
    if network.depth != depth:
        ann = snn = None
    state = states.get((network.name, "beta"))
    return [
        _row("table1", network, None, state, ann),
        _row("table1", network, "beta", state, snn, paper_ann=ann),
        _row("table1", network, "beta", state, snn, paper_ann=ann, late=True),
        _row(
            *("table1", network, "channels", states.get((network.name, "channels")), snn),
            **{"paper_ann": ann, "late": True},
        ),
    ]


def _left_out(plan):
    """Rows of Table 1 that only the paper has."""
    rows = []
    for task, (depth, ann, snn) in PAPER_TABLE1.items():
        network = Network(f"{task}-resnet{depth}")
        if network.name not in plan.networks:
            rows.append(_row("table1", network, None, None, ann))
            rows.append(_row("table1", network, "beta", None, snn, paper_ann=ann))
    return rows


def _table2(network, states):
    ann, alpha, beta = PAPER_TABLE2[network.depth]
    rows = [_row("table2", network, None, states.get((network.name, "beta")), ann)]
    for key, paper in (
        ("alpha", alpha),
        ("alpha-zero", alpha),
        ("beta", beta),
        ("beta-zero", beta),
    ):
        state = states.get((network.name, key))
        rows.append(_row("table2", network, key, state, paper, paper_ann=ann))
        if not key.endswith("zero"):
            rows.append(_row("table2", network, key, state, paper, paper_ann=ann, late=True))
    return rows


def _paper_ann(network):
    """The paper's ANN; of plain networks it tells the spiking accuracy and what was lost."""
    if network.kind == "resnet":
        return PAPER_TABLE2[network.depth][0]
    if network.depth not in PAPER_PLAIN_LOSS:
        return None
    return PAPER_TABLE3["plain", network.depth][0] + PAPER_PLAIN_LOSS[network.depth]


def _paper_snn(network):
    """The paper's spiking network without compensation."""
    if network.kind == "resnet":
        return PAPER_TABLE2[network.depth][2]
    return PAPER_TABLE3.get((network.kind, network.depth), (None,))[0]


def _table3(network, states):
    _, compensated = PAPER_TABLE3.get((network.kind, network.depth), (None, None))
    ann = _paper_ann(network)
    return [
        _row("table3", network, key, states.get((network.name, key)), paper, paper_ann=ann)
        for key, paper in (("beta-zero", _paper_snn(network)), ("compensated", compensated))
    ]


def _figure4(network, states):
    ann, snn = _paper_ann(network), _paper_snn(network)
    rows = [_row("figure4", network, None, states.get((network.name, "beta")), ann)]
    for key in ("beta", "beta-zero"):
        state = states.get((network.name, key))
        rows.append(_row("figure4", network, key, state, snn, paper_ann=ann))
    return rows


def _steps(network, states):
    rows = []
    for step in FEW_STEPS:
        # without a calibration the first steps are those of a longer run
        keys = ["beta-zero", "beta", "channels"]
        keys += [key for key, setting in SETTINGS.items() if setting.n_steps == step]
        for key in keys:
            state = states.get((network.name, key))
            if state is not None and state["n_steps"] >= step:
                for late in (False, True):
                    row = _row("steps", network, key, state, step=step, late=late)
                    rows.append({**row, "name": f"{row['name']}, {step} steps"})
    return rows


def figure3(plan, rates):
    """Maximum firing rates by layer.

    Parameters
    ----------
    plan : Plan
    rates : dict of str to dict
        Network's name -> what `resnet_cells.run_rates` returned.

    Returns
    -------
    list of dict
        For each network ``layers``, and for each layer ``maximum`` and ``percentile_99_9`` in
        spikes a step.
    """
    return [
        {
            "network": name,
            "n_train": state["n_done"],
            "n_steps": state["n_steps"],
            "layers": list(state["histograms"]),
            "maximum": [rate_at(h) for h in state["histograms"].values()],
            "percentile_99_9": [rate_at(h, 99.9) for h in state["histograms"].values()],
        }
        for name, state in rates.items()
    ]


def figure4_lines(rows):
    """Points lost by depth, {line: {depth: points}}; the paper's lines too."""
    lines = {}
    for row in rows:
        if row["table"] != "figure4" or row["setting"] is None:
            continue
        network = Network(row["network"])
        kind = "residual" if network.kind == "resnet" else "plain"
        start = "zero" if row["setting"].endswith("zero") else "half"
        for name, value in (
            (f"{kind}, paper", row["paper_lost_points"]),
            (f"{kind}, from {start}", row["lost_points"]),
        ):
            if value is not None:
                lines.setdefault(name, {})[network.depth] = value
    return lines


def activity(states):
    """What a network's spikes cost, one dict per cell."""
    return [
        {
            "network": name,
            "setting": key,
            "n_steps": state["n_steps"],
            "n_test": state["n_done"],
            "accuracy_over_time": [hits / state["n_done"] for hits in state["hits"]],
            "late_accuracy_over_time": [hits / state["n_done"] for hits in state["late_hits"]],
            "ann_accuracy": state["ann_hits"] / state["n_done"],
            "converted_accuracy": state["static_hits"] / state["n_done"],
            "agreement": state["same"] / state["n_done"],
            "spikes": sum(state["spikes"].values()) / state["n_done"],
            "synops": sum(state["synops"].values()) / state["n_done"],
            "images_per_second": state["n_done"] / state["seconds"],
            "factors": state.get("factors", {}),
        }
        for (name, key), state in states.items()
        if state["n_done"]
    ]
