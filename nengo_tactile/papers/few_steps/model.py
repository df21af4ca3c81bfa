"""Networks for few time steps as shipped models."""

from pathlib import Path

from nengo_tactile.commands.networks import train_command
from nengo_tactile.papers.few_steps import PAPER, FewStepsPlan, numbers, runs
from nengo_tactile.papers.few_steps.plan import SETTINGS
from nengo_tactile.saved import load


def make(name, order, network, setting, n_steps):
    """Convert and measure a trained network: see `nengo_tactile.papers.shipped`.

    Parameters
    ----------
    name : str
        Of the model.
    order : Order
    network, setting : str
        Keys of `plan.NETWORKS` and `plan.SETTINGS`.
    n_steps : int

    Returns
    -------
    SpikingNetwork, dict
    """
    plan = FewStepsPlan(
        networks=(network,),
        settings=(setting,),
        steps=(str(n_steps),),
        n_samples=order.n_samples,
        weights=order.weights,
        seed=order.seed,
    )
    (cell,) = runs.cells(plan, order.data_dir)
    state = PAPER.state(cell, order.work, order.progress)
    row = numbers.row(state)
    order.say(f"{name}: {numbers.line(plan, cell.key, state)}")
    return load(Path(order.work) / "networks" / cell.key), _card(plan, row, order.seed)


def _card(plan, row, seed):
    setting, weights = SETTINGS[row["setting"]], row["network"]
    several = "" if setting.is_binary else f", up to {setting.neuron.spikes_per_step} as one"
    return {
        "summary": f"The trained weights {weights} as integrate-and-fire neurons for "
        f"{row['n_steps']} time steps, which take spikes back that came too early{several}.",
        "training": train_command(weights, f"models/weights/{weights}.npz"),
        "task": weights.partition("-")[0],
        "data": row["data"],
        "neurons": repr(setting.neuron),
        "seed": seed,
        "calibration images": plan.n_calibration,
        "test images": row["n_test"],
        "ANN accuracy": row["ann"],
        "spiking accuracy": row["accuracy"],
        "points lost": row["lost_points"],
        "points lost if layers waited": row["bound_points"],
        "cost of an image": {
            "spikes": row["spikes"],
            "unit spikes": row["units"],
            "synaptic operations": row["synops"],
        },
        "limits": [
            "Images are shown as constant currents: the first layer's neurons integrate analogue "
            "values.",
            "Negative spikes, and those that are worth several, take hardware with graded spikes: "
            "Loihi 1 and its emulator take neither.",
            "Thresholds and corrections hold for this number of steps alone.",
        ],
    }
