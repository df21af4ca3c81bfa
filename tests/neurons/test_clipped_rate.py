"""Clipped rates against the closed form, in Nengo and NengoDL, alone and merged."""

import nengo
import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.neurons.clipped_rate import ClippedRate
from tests.support.driven_neurons import simulate

DT = 0.001
CURRENTS = np.linspace(-2, 2, 36).reshape(4, 9)

#: (amplitude, negative_slope); the ceiling is the amplitude.
PARAMETERS = [
    [(1.0, 0.0)],
    [(0.5, 0.25)],
    [(2.0, 0.0), (0.5, 0.0)],
    [(1.0, 0.5), (1.0, 0.0), (3.0, 0.25)],
    # closer than what NengoDL's own op_constant tells apart
    [(1e-9, 0.0), (3e-9, 1e-9)],
    [(1.0, 0.0), (1.000005, 0.0)],
]


def response(current, amplitude, slope):
    """One value at a time."""
    if current < 0:
        return amplitude * slope * max(current, -1.0)
    return amplitude * min(current, 1.0)


@pytest.mark.parametrize("engine", ["nengo", "dl"])
@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_each_ensemble_has_its_own_ceiling(engine, parameters):
    types = [ClippedRate(*numbers) for numbers in parameters]
    found = simulate(engine, types, CURRENTS, ("output",), dt=DT)
    for (output,), numbers in zip(found, parameters):
        wanted = np.vectorize(lambda current: response(current, *numbers))(CURRENTS)  # noqa: B023 (called at once)
        # NengoDL computes in float32
        np.testing.assert_allclose(output, wanted, rtol=1e-6, atol=1e-6 * numbers[0])


def test_nengo_dl_merges_them():
    """So that the test above is about merged operators."""
    with nengo.Network() as net:
        for amplitude in (1.0, 2.0):
            ensemble = nengo.Ensemble(9, 1, neuron_type=ClippedRate(amplitude))
            nengo.Probe(ensemble.neurons)
    with stack.quiet_build(), stack.nengo_dl().Simulator(net, progress_bar=False) as sim:
        groups = [
            [op.neurons.amplitude for op in group]
            for group in sim.tensor_graph.plan
            if isinstance(group[0], nengo.builder.neurons.SimNeurons)
        ]
    assert [sorted(group) for group in groups] == [[1.0, 2.0]]
