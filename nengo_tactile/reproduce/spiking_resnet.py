"""The command behind ``nengo-tactile reproduce spiking-resnet``: results, tables and report."""

from pathlib import Path

from nengo_tactile import files
from nengo_tactile.reproduce import pages, resnet_pages, resnet_tables
from nengo_tactile.reproduce.resnet_cells import read_data, run_cell, run_rates
from nengo_tactile.reproduce.resnet_plan import Network


def run(plan, out="nengo-tactile-out/spiking-resnet", data_dir=None, progress=None, say=print):
    """Reproduce the Spiking ResNet paper's tables and figures, or go on with it.

    Parameters
    ----------
    plan : resnet_plan.Plan
    out : path
        Gets cells/ (sums, after every minibatch), networks/ (as converted), results.json (anew
        after each cell), pictures and report.html (in the end).
    data_dir : path, optional
    progress : bool, optional
    say : callable

    Returns
    -------
    dict
        As in results.json.
    """
    out = Path(out)
    files.check_writable(out)
    data, states, rates = {}, {}, {}

    def data_of(network):
        if network.task not in data:
            data[network.task] = read_data(network.task, plan.seed, data_dir)
        return data[network.task]

    for network, key in plan.cells():
        state = run_cell(plan, network, key, data_of(network), out, progress)
        states[network.name, key] = state
        say(_line(network, key, state))
        files.write_json(out / "results.json", summarise(plan, states, rates))
    if "figure3" in plan.parts:
        for network in map(Network, plan.networks):
            if "figure3" in network.parts():
                rates[network.name] = run_rates(plan, network, data_of(network), out, progress)
                say(f"{network.title}: firing rates on {rates[network.name]['n_done']:,} images")
    results = summarise(plan, states, rates)
    files.write_json(out / "results.json", results)
    pictures = resnet_pages.figures(results)
    pages.write(out, pictures, resnet_pages.report(results, pictures))
    say(f"wrote {out / 'results.json'}, pictures and report.html")
    return results


def _line(network, key, state):
    n = state["n_done"]
    lost = 100 * (state["ann_hits"] - state["hits"][-1]) / n
    return (
        f"{network.name}, {key}: {state['hits'][-1] / n:.4f} after {state['n_steps']} steps, ANN "
        f"{state['ann_hits'] / n:.4f}, {lost:+.2f} points lost, {n:,} images"
    )


def summarise(plan, states, rates):
    """All numbers.

    Returns
    -------
    dict
        ``rows`` (see `resnet_tables.all_rows`), ``cells`` (one dict for each run: accuracy over
        time, agreement, spikes, synaptic operations) and ``figure3``.
    """
    return {
        "paper": "Hu et al., Spiking Deep Residual Network, Tables 1 to 3, Figures 3 and 4",
        "command": plan.command(),
        "seed": plan.seed,
        "engine": "event",
        "rows": resnet_tables.all_rows(plan, states),
        "cells": resnet_tables.activity(states),
        "figure3": resnet_tables.figure3(plan, rates),
    }
