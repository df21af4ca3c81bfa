"""SKIM networks in Nengo: ensembles, connections, a synapse; nothing hidden in a Node.

The input Node brings patterns in, and the output Node only adds up. A network lags behind its
input: what arrives at a step passes the kernels to the next one, and spikes take a further step
through the read-out's filter. `lag` says how far; functions here take it out.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np

from nengo_tactile import arguments, stack
from nengo_tactile.errors import DataError, EngineError
from nengo_tactile.nengo_runs import ENGINES, Rows, show
from nengo_tactile.progress import track
from nengo_tactile.skim import learning
from nengo_tactile.skim.activity import check_pattern
from nengo_tactile.skim.kernels import DT
from nengo_tactile.skim.layer import check_weights
from nengo_tactile.skim.synapse import KernelSynapse

if TYPE_CHECKING:
    from nengo_tactile.skim.layer import HiddenLayer
    from nengo_tactile.skim.opium import OpiumState
    from nengo_tactile.skim.supervision import Supervision


def build(
    layer: "HiddenLayer",
    weights: np.ndarray,
    rule: Callable | None = None,
    dt: float = DT,
    seed: int = 0,
) -> nengo.Network:
    """Make the Nengo network of a hidden layer and its output weights.

    Parameters
    ----------
    layer : HiddenLayer
    weights : (n_classes, n_hidden) float array
        Of the trainer or of a saved state; zeros where training is to begin.
    rule : callable, optional
        Makes the learning rule, `learning.Opium` or one of its kin, or `learning.pes` of a rate;
        it is called with the number of outputs and ``pre_synapse``. Without it the network does
        not learn.
    dt : float
        Seconds of a step; the simulator must have the same.
    seed : int
        Of what Nengo draws itself, which has no effect on the outputs.

    Returns
    -------
    nengo.Network
        With the attributes ``input`` (Node), ``hidden`` (Ensemble), ``output`` (Node),
        ``dendrites`` and ``read_out`` (Connections), ``probe`` (of the output), ``layer``, ``lag``
        (steps), ``dt``, and, with a rule, ``teacher`` (Node: targets and gate), with `nengo.PES`
        also ``error`` (Node: what is put out less what should be, where the gate is above zero).

    Raises
    ------
    DataError
        If the weights are not for this layer, or not finite.
    """
    weights = check_weights(layer, weights)
    spiking = layer.nonlinearity == "lif"
    trace = nengo.Lowpass(layer.trace * dt) if spiking else None
    made = None if rule is None else rule(len(weights), pre_synapse=trace)
    with nengo.Network(label="SKIM", seed=seed) as net:
        stack.nengo_dl().configure_settings(dtype="float64")
        net.layer, net.dt, net.lag = layer, dt, 1 + spiking
        net.input = nengo.Node(Rows(layer.n_inputs, dt), size_in=0, label="input")
        net.hidden = nengo.Ensemble(
            layer.n_hidden,
            1,
            gain=np.ones(layer.n_hidden),
            bias=layer.bias,
            neuron_type=neuron_type(layer, dt),
            label="hidden",
        )
        net.output = nengo.Node(size_in=len(weights), label="output")
        net.dendrites = nengo.Connection(
            net.input,
            net.hidden.neurons,
            transform=layer.input_weights,
            synapse=KernelSynapse(layer.kernels),
        )
        net.read_out = nengo.Connection(
            net.hidden.neurons,
            net.output,
            transform=weights,
            synapse=trace,
            learning_rule_type=made,
        )
        net.probe = nengo.Probe(net.output)
        if made is not None:
            net.teacher = nengo.Node(Rows(len(weights) + 1, dt), size_in=0, label="teacher")
            _teach(net)
    return net


def _teach(net):
    """Connect the teacher: with the rule, or with what makes the error for a rule that takes it."""
    rule, n_outputs = net.read_out.learning_rule, net.output.size_in
    if rule.size_in == net.teacher.size_out:
        nengo.Connection(net.teacher, rule, synapse=None)
        return
    net.error = nengo.Node(
        lambda t, x: (x[:n_outputs] - x[n_outputs:-1]) * (x[-1] > 0),
        size_in=n_outputs + net.teacher.size_out,
        label="error",
    )
    nengo.Connection(net.output, net.error[:n_outputs], synapse=None)
    nengo.Connection(net.teacher, net.error[n_outputs:], synapse=None)
    nengo.Connection(net.error, rule, synapse=None)


def neuron_type(layer, dt=DT):
    """The Nengo neuron type of a hidden layer; its outputs are those of the trainer."""
    if layer.nonlinearity == "tanh":
        return nengo.Tanh(tau_ref=1)
    if layer.nonlinearity == "relu":
        return nengo.RectifiedLinear()
    return nengo.LIF(
        layer.tau_rc * dt,
        layer.tau_ref * dt,
        amplitude=dt,  # a spike has an area of one step
        initial_state={"voltage": nengo.dists.Choice([0])},  # by default Nengo draws it
    )


def outputs(
    net: nengo.Network,
    patterns: Sequence,
    engine: str = "nengo",
    batch_size: int = 16,
    progress: bool | None = None,
) -> np.ndarray:
    """Run a network on samples, each from rest.

    Parameters
    ----------
    net : nengo.Network
        Of `build`.
    patterns : sequence of (n_steps, n_channels) float array
    engine : {"nengo", "nengo-dl"}
        NengoDL runs ``batch_size`` samples side by side. Both compute in float64.
    batch_size : int
    progress : bool, optional
        Show a bar; by default on a terminal.

    Returns
    -------
    (n_samples, n_steps, n_classes) float array
        A step's output has all that arrived until then, in this step too.

    Raises
    ------
    DataError
        If a pattern does not fit, or there is none.
    EngineError
        If the engine is unknown.
    """
    parts = list(stream(net, patterns, engine, batch_size, progress))
    return np.concatenate([part[net.probe][:, net.lag :] for part in parts])


def stream(net, patterns, engine="nengo", batch_size=16, progress=None):
    """Do what `outputs` does and yield what all probes saw, minibatch by minibatch.

    Memory does not grow with the number of samples, if the caller keeps nothing.

    Parameters
    ----------
    net, patterns, engine, batch_size, progress
        As for `outputs`.

    Yields
    ------
    dict of Probe to (n, n_steps + lag, size) float array
        From the simulator's first step on: ``lag`` is not taken out.
    """
    if engine not in ENGINES:
        raise EngineError(f"engine {engine!r}: SKIM networks run on {' and '.join(ENGINES)}")
    if not len(patterns):
        raise DataError("there are no samples to run: give at least one")
    batch_size = arguments.whole("batch_size", batch_size, error=EngineError)
    shape = len(patterns[0]), net.layer.n_inputs
    size = min(batch_size, len(patterns))
    total = -(-len(patterns) // size)
    description = f"running SKIM on {engine}"
    batches = track(_batches(patterns, shape, size), description, total=total, progress=progress)
    yield from show(net, batches, engine)


def _batches(patterns, shape, size):
    """Patterns checked and dense, ``size`` at a time and fewer at the end."""
    for start in range(0, len(patterns), size):
        yield np.stack(
            [
                check_pattern(patterns[number], *shape, f"sample {number}: ")
                for number in range(start, min(start + size, len(patterns)))
            ]
        )


def learn(
    sim: Any,
    net: nengo.Network,
    samples: Iterable,
    supervision: "Supervision",
    progress: bool | None = None,
) -> "OpiumState":
    """Show samples to a running network that learns, each from rest.

    Call it again, with the same simulator, to go on; or build the network anew from a saved state.

    Parameters
    ----------
    sim : nengo.Simulator
        Of ``net``: `nengo_tactile.nengo_runs.simulator`.
    net : nengo.Network
        Of `build`, with a learning rule.
    samples : iterable of (pattern, label)
        Patterns are (n_steps, n_channels) arrays.
    supervision : Supervision
    progress : bool, optional
        Show a bar; by default on a terminal.

    Returns
    -------
    opium.OpiumState
        What has been learnt so far.

    Raises
    ------
    DataError
        If a pattern or label does not fit.
    EngineError
        If the network has no learning rule.
    """
    if net.read_out.learning_rule is None:
        raise EngineError(
            "the network was built without a learning rule: give build(..., rule=learning.Opium)"
        )
    n_classes, steps = net.output.size_in, supervision.n_steps
    total = len(samples) if isinstance(samples, Sized) else None
    shown = track(samples, "training SKIM in Nengo", total=total, progress=progress)
    for number, (pattern, label) in zip(itertools.count(), shown):
        who = f"sample {number}: "
        rows = np.zeros((steps + net.lag, n_classes + 1))
        window = rows[supervision.first + net.lag :]
        window[:, :-1] = supervision.targets(label, n_classes, who)
        window[:, -1] = 1
        net.input.output.rows = check_pattern(pattern, steps, net.layer.n_inputs, who)
        net.teacher.output.rows = rows
        learning.rest(sim, net.read_out)
        sim.run_steps(len(rows))
        sim.clear_probes()
    return learning.learnt(sim, net.read_out)
