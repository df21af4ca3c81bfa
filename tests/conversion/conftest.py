"""Small networks for the conversion tests."""

import numpy as np
import pytest

from nengo_tactile.ann.notation import build
from nengo_tactile.conversion.lif_training import lif_network
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import LIF


@pytest.fixture
def x():
    return np.random.default_rng(0).random((12, 6, 5, 1), dtype=np.float32)


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, 3, 12)


@pytest.fixture
def model():
    """A convolution, average pooling, a dense layer and a read-out, all with biases."""
    model = build("6x5-3c2-2a-4-3o", padding="same")
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0.2, 0.6, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture
def lif_model(model, x):
    return lif_network(model, x, LIF(max_rate=200.0))


@pytest.fixture
def network(lif_model):
    return SpikingNetwork(lif_model, n_steps=10, classes=("a", "b", "c"), card={"seed": 1})
