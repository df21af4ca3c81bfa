"""Rows beside the Spiking ResNet paper's, from the sums that its cells keep."""

from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.conversion.layerwise import rate_at
from nengo_tactile.papers.spiking_resnet.plan import (
    FEW_STEPS,
    NETWORKS,
    PAPER_PLAIN_LOSS,
    PAPER_TABLE1,
    PAPER_TABLE2,
    PAPER_TABLE3,
    SETTINGS,
    Network,
)


def summarise(plan, states):
    """All numbers.

    Returns
    -------
    dict
        ``rows`` (see `all_rows`), ``cells`` (see `activity`) and ``figure3``.
    """
    shown = {key: state for key, state in states.items() if "hits" in state}
    return {
        "engine": "event",
        "rows": all_rows(plan, shown),
        "cells": [activity(state) for state in shown.values() if state["n_done"]],
        "figure3": [figure3(state) for state in states.values() if "histograms" in state],
    }


def line(plan, key, state):
    """A cell's result, for the terminal."""
    n = state["n_done"]
    if "histograms" in state:
        return f"{NETWORKS[state['network']].title}: firing rates on {n:,} images"
    lost = 100 * (state["ann_hits"] - state["hits"][-1]) / n
    return (
        f"{state['network']}, {state['setting']}: {state['hits'][-1] / n:.4f} after "
        f"{state['n_steps']} steps, ANN {state['ann_hits'] / n:.4f}, {lost:+.2f} points lost, "
        f"{n:,} images"
    )


def all_rows(plan, states):
    """Rows of all tables.

    Parameters
    ----------
    plan : ResnetPlan
    states : dict of str to dict
        Network's name and setting's key, with a dot between -> what `runs.show` returned.

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
            for network in map(NETWORKS.get, plan.networks):
                if part in network.parts():
                    rows += [{"table": part, **row} for row in makers[part](network, states)]
            if part == "table1":
                rows += [{"table": part, **row} for row in _left_out(plan)]
    return rows


def _row(network, key, states, paper=None, paper_ann=None, late=False, step=None):
    """A spiking network's row; ``key`` None for the ANN it came from, ``late`` by late read-out."""
    title = "ANN" if key is None else network.setting_title(key)
    title += ", late read-out" * late
    row = {
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
    state = states.get(f"{network.name}.{key or 'beta'}")
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
    return [
        _row(network, None, states, ann),
        _row(network, "beta", states, snn, ann),
        _row(network, "beta", states, snn, ann, late=True),
        _row(network, "channels", states, snn, ann, late=True),
    ]


def _left_out(plan):
    """Rows of Table 1 that only the paper has."""
    rows = []
    for task, (depth, ann, snn) in PAPER_TABLE1.items():
        network = Network(f"{task}-resnet{depth}")
        if network.name not in plan.networks:
            rows += [_row(network, None, {}, ann), _row(network, "beta", {}, snn, ann)]
    return rows


def _table2(network, states):
    ann, alpha, beta = PAPER_TABLE2[network.depth]
    rows = [_row(network, None, states, ann)]
    for key, paper in (
        ("alpha", alpha),
        ("alpha-zero", alpha),
        ("beta", beta),
        ("beta-zero", beta),
    ):
        rows.append(_row(network, key, states, paper, ann))
        if not key.endswith("zero"):
            rows.append(_row(network, key, states, paper, ann, late=True))
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
        _row(network, "beta-zero", states, _paper_snn(network), ann),
        _row(network, "compensated", states, compensated, ann),
    ]


def _figure4(network, states):
    ann, snn = _paper_ann(network), _paper_snn(network)
    keys = ("beta", "beta-zero")
    return [
        _row(network, None, states, ann),
        *(_row(network, key, states, snn, ann) for key in keys),
    ]


def _steps(network, states):
    rows = []
    for step in FEW_STEPS:
        # without a correction the first steps are those of a longer run
        keys = ["beta-zero", "beta", "channels"]
        keys += [key for key, setting in SETTINGS.items() if setting.n_steps == step]
        for key in keys:
            state = states.get(f"{network.name}.{key}")
            if state is not None and state["n_steps"] >= step:
                for late in (False, True):
                    row = _row(network, key, states, step=step, late=late)
                    rows.append({**row, "name": f"{row['name']}, {step} steps"})
    return rows


def figure3(state):
    """Firing rates of a network's ``layers``: ``maximum`` and ``percentile_99_9``, spikes a step.

    Parameters
    ----------
    state : dict
        What `runs.rates` returned.
    """
    histograms = state["histograms"]
    return {
        "network": state["network"],
        "n_train": state["n_done"],
        "n_steps": state["n_steps"],
        "layers": list(histograms),
        "maximum": [rate_at(h) for h in histograms.values()],
        "percentile_99_9": [rate_at(h, 99.9) for h in histograms.values()],
    }


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


def activity(state):
    """What a network's spikes cost in a setting."""
    n = state["n_done"]
    return {
        "network": state["network"],
        "setting": state["setting"],
        "n_steps": state["n_steps"],
        "n_test": n,
        "accuracy_over_time": [hits / n for hits in state["hits"]],
        "late_accuracy_over_time": [hits / n for hits in state["late_hits"]],
        "ann_accuracy": state["ann_hits"] / n,
        "converted_accuracy": state["static_hits"] / n,
        "agreement": state["same"] / n,
        "spikes": sum(state["spikes"].values()) / n,
        "synops": sum(state["synops"].values()) / n,
        "images_per_second": n / state["seconds"],
        "factors": state.get("factors", {}),
    }
