"""Deep networks of each kind of layer converge to Keras as one over the number of steps."""

import numpy as np
import pytest

from tests.support import deep_networks, scripts
from tests.support.deep_networks import DEPTH, KINDS

deep_layers = scripts.load("benchmarks/deep_layers.py")
convergence_page = scripts.load("benchmarks/convergence_page.py")

STEPS = deep_layers.steps_between(64, 512, 9)


@pytest.mark.parametrize("name", KINDS)
def test_errors_fall_as_one_over_steps(name):
    """An eighth as long as in docs/convergence.md, one set of weights, fewer samples."""
    model, x = deep_networks.model_of(name), deep_networks.samples(name, 8)
    errors = deep_layers.errors_of(model, x, STEPS)
    assert -1.3 < deep_layers.slope_of(STEPS, errors) < -0.75
    assert 0 < errors[-1] < 0.03


@pytest.mark.parametrize("name", KINDS)
def test_networks_are_deep_and_alive(name):
    """What they are named for is there six times, and outputs depend on the input."""
    model, x = deep_networks.model_of(name), deep_networks.samples(name, 8)
    layers = [type(layer).__name__ for layer in model.layers]
    for part in name.split(", "):
        kind = part.partition("(")[0].replace("ReLU6", "ReLU")
        if kind not in ("grouped", "dilated"):
            assert layers.count(kind) >= DEPTH
    outputs = model(x).numpy()
    assert (outputs.std(axis=0) > 0.02 * np.abs(outputs).max()).all()


def test_a_slope_is_the_exponent():
    steps = np.array([256, 512, 1024])
    assert deep_layers.slope_of(steps, 7 * steps**-0.5) == pytest.approx(-0.5)
    assert deep_layers.steps_between(256, 4096, 5) == [256, 512, 1024, 2048, 4096]


def test_the_page_shows_what_was_measured():
    page = convergence_page.RESULTS.parent / "convergence.md"
    assert page.read_text("utf-8") == convergence_page.page(*convergence_page.read())
