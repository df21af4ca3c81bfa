"""Ctrl-C ends compiled loops at once, in the middle of a sample, and the next run is whole."""

import signal
import time

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile.ann.notation import build
from nengo_tactile.slayer.stages import chain
from tests.support.slayer_networks import dense, network_of


@pytest.fixture
def ctrl_c():
    """Ctrl-C comes a little later, as of a terminal."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.3)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def converted(rng, neuron):
    x = rng.random((8, 6, 6, 2), np.float32)
    return nt.convert(build("6x6x2-3c3-7-3o", seed=3), x, neuron, n_steps=40), x


def clocked(rng):
    network, x = converted(rng, nt.IF())
    return network, x[:1], {"n_steps": 2_000_000}, x[:1]


def stepped(rng):
    graph = chain((8,), [dense(rng, "hidden", (8,), 40), dense(rng, "out", (40,), 2)])
    x = np.ones((1, 500_000, 8), np.float32)
    return network_of(graph), x, {}, x[:, :40]


def asynchronous(rng):
    network, x = converted(rng, nt.SigmaDelta(threshold=0.001))
    return network, np.tile(x, (4000, 1, 1, 1)), {"batch_size": 32_000}, x[:1]


@pytest.mark.parametrize("make", [clocked, stepped, asynchronous])
def test_ctrl_c(make, rng, ctrl_c):
    network, x, options, few = make(rng)
    good = nt.run(network, few, engine="event")
    start = time.monotonic()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        nt.run(network, x, engine="event", threads=1, **options)
    assert time.monotonic() - start < 2
    np.testing.assert_array_equal(nt.run(network, few, engine="event").outputs, good.outputs)
