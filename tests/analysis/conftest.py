"""A recording drawn spike by spike, so that every count can be checked by loops."""

import numpy as np
import pytest

from nengo_tactile.engines.recording import Recording

FAN_OUT = {"conv": 7, "dense": 3}


@pytest.fixture
def spikes(rng):
    """Spike trains per layer, {layer: (n_samples, n_steps, n_neurons)} of 0 and 1."""
    trains = {
        "conv": (rng.random((6, 20, 12)) < rng.random((6, 1, 12)) ** 2).astype(int),
        "dense": (rng.random((6, 20, 5)) < 0.3).astype(int),
    }
    trains["conv"][:, :, 3] = 0  # a neuron that never fires
    trains["conv"][2, :, 4] = 1  # one that fires in every step of one sample
    return trains


@pytest.fixture
def recording(rng, spikes):
    """The recording of these trains, 2 ms per step."""
    return Recording(
        outputs=rng.normal(size=(6, 20, 4)).astype(np.float32),
        spike_counts={k: v.sum(axis=1) for k, v in spikes.items()},
        spikes_over_time={k: v.sum(axis=2) for k, v in spikes.items()},
        synops_over_time={k: v.sum(axis=2) * FAN_OUT[k] for k, v in spikes.items()},
        units_over_time={k: 3 * v.sum(axis=2) for k, v in spikes.items()},
        dt=0.002,
        engine="test",
    )
