"""Networks that read steps in Nengo: that of their graph, to which samples are shown one by one.

No step of the network lags behind: what neurons do at a step is what the reference says of it.
"""

import math

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.nengo_runs import Rows
from nengo_tactile.networks import nengo_network

#: Seconds of a step (Spikemax paper, section IV).
DT = 0.001
DTYPES = ("float64", "float32")


def build(graph, dt=DT, dtype="float64"):
    """Make the Nengo network of a graph.

    Parameters
    ----------
    graph : Graph
    dt : float
        Seconds of a step; the simulator must have the same.
    dtype : {"float64", "float32"}
        Of NengoDL's sums; Nengo's simulator has its own (`nengo.rc`).

    Returns
    -------
    nengo.Network
        With the attributes ``input`` (Node), ``neurons`` and ``sent`` (of each stage by name: what
        fires, and what the next stage reads, the same where there are no delays), ``dt`` and
        ``lag`` (steps). A spike is a one.

    Raises
    ------
    EngineError
        If the type is unknown.
    """
    if dtype not in DTYPES:
        raise EngineError(f"dtype is {dtype!r}: choose one of {DTYPES}")
    rows = Rows(math.prod(graph.input_shape), dt)
    built = nengo_network.build(graph, dt, rows, probes=False, label="stepped")
    net = built.net
    with net:
        nengo_dl = stack.nengo_dl()
        nengo_dl.configure_settings(dtype=dtype, inference_only=True, stateful=False)
    net.input, net.neurons, net.sent = built.input, built.neurons, built.sent
    net.dt, net.lag = dt, 0
    return net


__all__ = ["build"]
