"""SLAYER networks in Nengo: ensembles, connections, synapses; Nodes for the input and the axons.

No step of the network lags behind: what neurons do at a step is what the reference says of it. A
Nengo synapse acts from the next step on, so does a response kernel; axons are Nodes whose process
answers at once.
"""

import math

import nengo
import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.nengo_runs import Rows
from nengo_tactile.neurons.axonal_delay import AxonalDelay
from nengo_tactile.neurons.current_based import CurrentBased
from nengo_tactile.neurons.spike_response import SpikeResponse
from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.stages import check

#: Seconds of a step (Spikemax paper, section IV).
DT = 0.001
DTYPES = ("float64", "float32")


def build(stages, dt=DT, seed=0, dtype="float64"):
    """Make the Nengo network of a list of stages.

    Parameters
    ----------
    stages : sequence of Stage
    dt : float
        Seconds of a step; the simulator must have the same.
    seed : int
        Of what Nengo draws itself, which has no effect on spikes.
    dtype : {"float64", "float32"}
        Of NengoDL's sums; Nengo's simulator has its own (`nengo.rc`).

    Returns
    -------
    nengo.Network
        With the attributes ``input`` (Node), ``neurons`` and ``axons`` (per stage, in order: what
        fires, and what the next stage reads, the same where there are no delays), ``dt`` and
        ``lag`` (steps). A spike is a one.

    Raises
    ------
    ConversionError
        If the stages are not a network.
    EngineError
        If the type is unknown.
    """
    check(stages)
    if dtype not in DTYPES:
        raise EngineError(f"dtype is {dtype!r}: choose one of {DTYPES}")
    with nengo.Network(label="SLAYER", seed=seed) as net:
        nengo_dl = stack.nengo_dl()
        nengo_dl.configure_settings(dtype=dtype, inference_only=True, stateful=False)
        net.dt, net.lag, net.neurons, net.axons = dt, 0, [], []
        size = int(np.prod(stages[0].input_shape))
        net.input = nengo.Node(Rows(size, dt), size_in=0, label="input")
        before = net.input
        for stage in stages:
            neurons = _neurons(stage, dt)
            nengo.Connection(
                before, neurons, transform=transform_of(stage.map), synapse=response(stage.neuron)
            )
            before = neurons if stage.delays is None else _axons(stage, neurons)
            if stage.recurrent is not None:
                nengo.Connection(
                    before,
                    neurons,
                    transform=np.asarray(stage.recurrent, float).T,
                    synapse=response(stage.neuron, recurrent=True),
                )
            net.neurons.append(neurons)
            net.axons.append(before)
    return net


def response(neuron, recurrent=False):
    """The synapse of a connection, exact step by step.

    Parameters
    ----------
    neuron : SpikeResponseModel or CurrentBasedLIF
        Of the neurons it reaches. Current-based neurons filter their input themselves.
    recurrent : bool
        Whether spikes belong to the current of the next step.

    Returns
    -------
    nengo.synapses.Synapse or None
        For spike response neurons the kernel ``eps`` of unit peak. `nengo.Alpha` has unit area,
        and is sampled otherwise.
    """
    if not isinstance(neuron, SpikeResponseModel):
        return nengo.Lowpass(0) if recurrent else None  # a low-pass of no time is one step late
    # eps(k) = e / tau k r**k: in the z-transform e / tau r z / (z - r)**2. Nengo takes the one step
    # out of it that its synapses are late by.
    r = math.exp(-1 / neuron.tau_s)
    peak = math.e / neuron.tau_s * r
    numerator = [peak] if recurrent else [peak, 0]
    return nengo.LinearFilter(numerator, [1, -2 * r, r * r], analog=False)


def neuron_type(neuron, dt=DT):
    """The Nengo neuron type of a neuron model; a spike is a one."""
    if isinstance(neuron, SpikeResponseModel):
        return SpikeResponse(neuron.tau_r, neuron.threshold, neuron.refractory, amplitude=dt)
    return CurrentBased(neuron.current_decay, neuron.voltage_decay, neuron.threshold, amplitude=dt)


def _neurons(stage, dt):
    n = stage.n_neurons
    ensemble = nengo.Ensemble(
        n,
        1,
        neuron_type=neuron_type(stage.neuron, dt),
        gain=np.ones(n),
        bias=np.zeros(n),
        label=stage.name,
    )
    return ensemble.neurons


def _axons(stage, neurons):
    axons = nengo.Node(AxonalDelay(stage.delays), size_in=stage.n_neurons, label=stage.name)
    nengo.Connection(neurons, axons, synapse=None)
    return axons


def transform_of(linear, gain=1.0):
    """A map as the transform of a Nengo connection, times ``gain``, in float64."""
    return linear.reweighted(lambda weights: gain * weights.astype(float)).transform()


__all__ = ["build", "neuron_type", "response", "transform_of"]
