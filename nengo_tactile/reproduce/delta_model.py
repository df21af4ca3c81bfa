"""The sigma-delta paper's network as the spiking model ``mnist-sigma-delta`` of the package.

``python -m nengo_tactile.reproduce.delta_model`` takes the trained weights, converts them, shows
the test images spike by spike and writes models/mnist-sigma-delta with its card. The run is that
of ``nengo-tactile reproduce sigma-delta``: with its ``--out`` as ``--work`` nothing runs twice.
"""

import argparse
import dataclasses
from pathlib import Path

from nengo_tactile.networks.folders import check_folder
from nengo_tactile.papers.sigma_delta import NEURONS, PAPER, SETTINGS, SHOWN, WEIGHTS, DeltaPlan
from nengo_tactile.reproduce.networks import train_command
from nengo_tactile.reproduce.tasks import TASKS
from nengo_tactile.saved import load
from nengo_tactile.stack.distributions import made_with

#: Name of the model.
MODEL = "mnist-sigma-delta"
WORK = "nengo-tactile-out/sigma-delta"


def make(
    out,
    setting=SHOWN,
    n_samples=None,
    weights=None,
    work=WORK,
    data_dir=None,
    seed=0,
    progress=None,
    say=print,
):
    """Convert, measure and save the trained network.

    Parameters
    ----------
    out : path
        The model's folder.
    setting : str
        Of `delta_plan.SETTINGS`.
    n_samples : int, optional
        Random test images; by default all.
    weights : path, optional
        Folder of trained weights; by default that of the package.
    work : path
        Where sums over images are kept: see `delta_cells`.
    data_dir : path, optional
    seed : int
    progress : bool, optional
    say : callable

    Returns
    -------
    SpikingNetwork
    """
    plan = DeltaPlan(setting, n_samples, weights, seed)
    check_folder(out)
    (cell,) = PAPER.cells(plan, data_dir)
    state = PAPER.state(cell, work, progress)
    spiking = load(Path(work) / "networks" / setting)
    spiking = dataclasses.replace(spiking, card=_card(setting, seed, state))
    spiking.save(out)
    card = spiking.card
    say(
        f"{MODEL}: ANN {card['ANN accuracy']:.4f}, spikes {card['spiking accuracy']:.4f} of "
        f"{card['test images']:,} test images, {card['cost of an image']['spikes per neuron']:.3f} "
        "spikes per neuron"
    )
    return spiking


def _card(setting, seed, state):
    n = state["n_done"]
    return {
        "summary": "The sigma-delta paper's network, 16C5-2MP2-8C5-2MP2-256FC-10FC, for "
        f"{TASKS['mnist'].about}: neurons that send changes of their quantised activation.",
        "command": f"python -m nengo_tactile.reproduce.delta_model --setting {setting} --samples "
        f"{n} --seed {seed} --data-dir DATA",
        "training": train_command(WEIGHTS, f"models/weights/{WEIGHTS}.npz"),
        "task": "mnist",
        "data": TASKS["mnist"].about,
        "setting": SETTINGS[setting].title,
        "seed": seed,
        "test images": n,
        "ANN accuracy": state["ann_hits"] / n,
        "ANN accuracy on images of one bit": state["bit_hits"] / n,
        "accuracy of the quantised ANN": state["quantised_hits"] / n,
        "spiking accuracy": state["hits"][-1] / n,
        "points lost": 100 * (state["ann_hits"] - state["hits"][-1]) / n,
        "spikes for an image, by layer": {
            name: round(sums["spikes"] / n, 1) for name, sums in state["layers"].items()
        },
        "cost of an image": {
            "spikes per neuron": state["spikes"][-1] / n / NEURONS,
            "synaptic operations": state["synops"][-1] / n,
        },
        "limits": [
            "An image arrives as one bit per pixel, the bright ones first; grey is lost.",
            "Measured spike by spike, in the event engine. In time steps (NengoDL) spikes of a "
            "step are handled together, which gives other spikes and nearly the same outputs.",
            "Max pooling passes on changes of the largest sum: these are listed by layer, but not "
            "counted as spikes per neuron.",
        ],
        "made with": made_with("tensorflow", "nengo-dl", "numpy"),
    }


def main(arguments=None):
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.reproduce.delta_model")
    parser.add_argument("--out", default=f"models/{MODEL}", help=f"default models/{MODEL}")
    parser.add_argument("--setting", default=SHOWN, choices=SETTINGS)
    parser.add_argument("--samples", type=int, help="random test images (default all)")
    parser.add_argument("--weights", help="folder of trained weights (default models/weights)")
    parser.add_argument("--work", default=WORK, help=f"where a run goes on (default {WORK})")
    parser.add_argument("--data-dir", help="default: environment variable NENGO_TACTILE_DATA")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    make(
        options.out,
        options.setting,
        options.samples,
        options.weights,
        options.work,
        options.data_dir,
        options.seed,
    )


if __name__ == "__main__":
    main()
