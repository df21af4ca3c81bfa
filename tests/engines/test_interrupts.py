"""Ctrl-C ends loops at once, in the middle of a sample, and the next run is whole."""

import signal
import time

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import stack
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


def converted(rng, neuron, notation="6x6x2-3c3-7-3o"):
    x = rng.random((8, 6, 6, 2), np.float32)
    return nt.convert(build(notation, seed=3), x, neuron, n_steps=40), x


EVENT = {"engine": "event", "threads": 1}


def clocked(rng):
    network, x = converted(rng, nt.IF())
    return network, x[:1], {**EVENT, "n_steps": 2_000_000}, x[:1]


def stepped(rng):
    graph = chain((8,), [dense(rng, "hidden", (8,), 40), dense(rng, "out", (40,), 2)])
    x = np.ones((1, 500_000, 8), np.float32)
    return network_of(graph), x, EVENT, x[:, :40]


def asynchronous(rng):
    network, x = converted(rng, nt.SigmaDelta(threshold=0.001))
    return network, np.tile(x, (4000, 1, 1, 1)), {**EVENT, "batch_size": 32_000}, x[:1]


@pytest.mark.parametrize("make", [clocked, stepped, asynchronous])
def test_the_event_engine(make, rng, ctrl_c):
    network, x, options, few = make(rng)
    good = nt.run(network, few, **EVENT)
    start = time.process_time()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        nt.run(network, x, **options)
    assert time.process_time() - start < 2
    np.testing.assert_array_equal(nt.run(network, few, **EVENT).outputs, good.outputs)


def test_nengo_dl(rng, ctrl_c, monkeypatch):
    # much to compute in few steps: NengoDL tiles its input over all of them first, out of reach
    network, x = converted(rng, nt.IF(), "6x6x2-1c5-1500-1500-3o")
    good, starts, computing = nt.run(network, x, engine="nengo-dl"), [], stack.interruptible

    def interrupted(compute):
        starts.append(time.process_time())
        ctrl_c()
        return computing(compute)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stack, "interruptible", interrupted)
        nt.run(network, x, 40_000, engine="nengo-dl")
    # of half a minute of a processor
    assert len(starts) == 1 and time.process_time() - starts[0] < 8
    np.testing.assert_array_equal(nt.run(network, x, engine="nengo-dl").outputs, good.outputs)


@pytest.mark.parametrize("what", ["a graph", "Python"])
def test_tensorflow(what, ctrl_c):
    tf = stack.tensorflow()

    @tf.function
    def loop():
        i = tf.constant(0)
        while i < 2**30:
            i += 1
        return i

    def python():
        while True:
            pass

    start = time.process_time()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        stack.interruptible(loop if what == "a graph" else python)
    assert time.process_time() - start < 2
    assert stack.interruptible(lambda: int(tf.constant(3))) == 3


def test_what_tensorflow_refuses_is_told():
    with pytest.raises(ZeroDivisionError):
        stack.interruptible(lambda: 1 // 0)
