"""Processors without newer instructions: the same loops, compiled for them, give the same."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.neurons import IF, SigmaDelta
from nengo_tactile.engines import run
from nengo_tactile.engines.event import asynchronous, clocked
from tests.support.processors import OTHERS
from tests.support.random_models import keras

ENGINES = {"kernel": clocked, "queue_kernel": asynchronous}
REPEAT = """
import pickle, sys
from numba.core.registry import cpu_target
from nengo_tactile.engines.event import kernel, queue_kernel
assert "avx512vbmi2" not in cpu_target.target_context.codegen().magic_tuple()[2]
found = []
for name, arguments in pickle.load(open(sys.argv[1], "rb")):
    {"kernel": kernel, "queue_kernel": queue_kernel}[name].simulate(*arguments)
    found.append(arguments)
pickle.dump(found, open(sys.argv[1], "wb"))
"""


class Listened:
    """A compiled loop that keeps what it was given, as it was before and after."""

    def __init__(self, simulate):
        self.simulate, self.signatures, self.calls = simulate, ["it compiles without a word"], []

    def __call__(self, *arguments):
        before = pickle.dumps(arguments)
        result = self.simulate(*arguments)
        self.calls.append((pickle.loads(before), pickle.loads(pickle.dumps(arguments))))
        return result


def networks():
    """One of each kind of link and neuron, and samples."""
    la, rng = keras().layers, np.random.default_rng(0)
    x = rng.random((3, 12, 12, 3)).astype(np.float32)
    first = inputs = keras().Input(x.shape[1:])
    for layer in (
        la.Conv2D(35, 3, padding="same"),
        la.DepthwiseConv2D(3, strides=2),
        la.Conv2D(40, 5, padding="same"),
    ):
        first = la.ReLU()(layer(first))
    pooled = la.AveragePooling2D()(la.MaxPooling2D(2, 1)(la.Add()([first, first])))
    model = keras().Model(inputs, la.Dense(7)(la.Flatten()(pooled)))
    for options in ({}, {"signed": True, "thresholds": "steps", "spikes_per_step": 4}):
        yield convert(model, x, IF(**options), n_steps=5, quantise=8), x
    yield convert(model, x, IF(), n_steps=40), x
    yield convert(model, x, SigmaDelta(threshold=0.01)), x


@pytest.fixture(scope="module")
def calls():
    """What the loops were given here, by the names of their modules, and what came of it."""
    wanted, given = [], []
    for network, x in networks():
        with pytest.MonkeyPatch.context() as patch:
            for engine in ENGINES.values():
                patch.setattr(engine, "simulate", Listened(engine.simulate))
            run(network, x, engine="event", threads=1)
            for name, engine in ENGINES.items():
                given += [(name, before) for before, _ in engine.simulate.calls]
                wanted += [after for _, after in engine.simulate.calls]
    return given, wanted


@pytest.mark.parametrize("processor", OTHERS)
def test_the_same_without_newer_instructions(processor, calls, tmp_path):
    file, (given, wanted) = tmp_path / "calls.pickle", calls
    file.write_bytes(pickle.dumps(given))
    told = {**os.environ, **processor}
    subprocess.run([sys.executable, "-c", REPEAT, file], check=True, env=told)
    found = pickle.loads(file.read_bytes())
    assert len(found) == len(wanted) >= 4 and {name for name, _ in given} == set(ENGINES)
    for one, other in zip(found, wanted):
        for kind in ("Measured", "Memory"):
            (mine,), (theirs,) = (
                [part for part in each if type(part).__name__ == kind] for each in (one, other)
            )
            for name in mine._fields:
                if name in ("potentials", "counts", "spikes", "synops", "sent", "state", "units"):
                    assert np.any(getattr(theirs, name)) or name == "state"
                    np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
