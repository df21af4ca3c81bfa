"""The sigma-delta paper's network as a shipped model."""

from pathlib import Path

from nengo_tactile.commands.networks import train_command
from nengo_tactile.commands.tasks import TASKS
from nengo_tactile.papers.sigma_delta import PAPER
from nengo_tactile.papers.sigma_delta.plan import NEURONS, SETTINGS, SHOWN, WEIGHTS, DeltaPlan
from nengo_tactile.saved import load


def make(name, order, setting=SHOWN):
    """Convert and measure the trained network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
    order : Order
    setting : str
        Of `plan.SETTINGS`.

    Returns
    -------
    SpikingNetwork, dict
    """
    (cell,) = PAPER.cells(
        DeltaPlan(setting, order.n_samples, order.weights, order.seed), order.data_dir
    )
    state = PAPER.state(cell, order.work, order.progress)
    card = _card(setting, order.seed, state)
    order.say(
        f"{name}: ANN {card['ANN accuracy']:.4f}, spikes {card['spiking accuracy']:.4f} of "
        f"{card['test images']:,} test images, {card['cost of an image']['spikes per neuron']:.3f} "
        "spikes per neuron"
    )
    return load(Path(order.work) / "networks" / setting), card


def _card(setting, seed, state):
    n = state["n_done"]
    return {
        "summary": "The sigma-delta paper's network, 16C5-2MP2-8C5-2MP2-256FC-10FC, for "
        f"{TASKS['mnist'].about}: neurons that send changes of their quantised activation.",
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
    }
