"""States of Spikemax runs small enough to check by hand: 100 test samples, 10 steps of 10 ms."""

#: Loss -> right answers of two trials after each step. Within one point of the end, first: steps 9
#: and 10 (all answers together: 10), 4 and 4 (4), 6 and 6 (6), 3 and 3 (3); they stay there from 9
#: and 10 (10), 4 and 6 (6), 6 and 6 (6), 3 and 3 (3).
HITS = {
    "spike-rate": (
        [10, 20, 30, 40, 50, 60, 70, 80, 91, 92],
        [10, 20, 30, 40, 50, 60, 70, 80, 80, 94],
    ),
    "spikemax": (
        [10, 50, 80, 91, 92, 92, 92, 92, 92, 92],
        [10, 50, 80, 93, 80, 94, 94, 94, 94, 94],
    ),
    "spikemax_g": (
        [10, 20, 30, 40, 50, 91, 92, 92, 92, 92],
        [10, 20, 30, 40, 50, 93, 94, 94, 94, 94],
    ),
    "spikemax_s": (
        [10, 60, 91, 92, 92, 92, 92, 92, 92, 92],
        [10, 60, 93, 94, 94, 94, 94, 94, 94, 94],
    ),
}
#: Loss -> spikes of the hidden layer in two trials; outputs have 20 and 30.
HIDDEN = {
    "spike-rate": (980, 1170),
    "spikemax": (480, 570),
    "spikemax_g": (780, 870),
    "spikemax_s": (180, 270),
}


def state(data, loss, trial, hits, hidden=100.0, **more):
    """One run; seeds are 10 more than trials."""
    return {
        "fingerprint": "0" * 16,
        "data": data,
        "loss": loss,
        "trial": trial,
        "seed": 10 + trial,
        "network": "20-30-5",
        "parameters": 750,
        "delays": 35,
        "neuron": {"tau_s": 5.0, "tau_r": 2.0},
        "rates": [0.3, 0.05],
        "window": 4,
        "n_train": 400,
        "n_test": 100,
        "n_steps": len(hits),
        "bin_us": 10_000.0,
        "epochs": 3,
        "accuracy": hits[-1] / 100,
        "train_accuracy": 0.95 + 0.01 * trial,
        "hits_over_time": list(hits),
        "spikes": {"hidden": hidden, "output": 20.0 + 10 * trial},
        "input_spikes": 300.0,
        "seconds": {"training": 60.0 + 2 * trial, "testing": 1.5, "epochs": [20.0] * 3},
        "loss_over_epochs": [2.0, 1.0 + 0.2 * trial, 0.5],
        "accuracy_over_epochs": [0.5, 0.8, 0.9],
        **more,
    }


def states(data, losses=tuple(HITS), swap=None):
    """Two trials of each loss; ``swap`` gives a loss another's hits."""
    swap = swap or {}
    return [
        state(data, loss, trial, HITS[swap.get(loss, loss)][trial], HIDDEN[loss][trial])
        for loss in losses
        for trial in (0, 1)
    ]
