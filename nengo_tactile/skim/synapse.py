"""Kernels that differ from neuron to neuron as a Nengo synapse, for Nengo and NengoDL."""

import numpy as np
from nengo.builder.processes import SimProcess
from nengo.params import EnumParam, NdarrayParam
from nengo.rc import rc
from nengo.synapses import Synapse

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.processes import register
from nengo_tactile.skim.kernels import KINDS, Kernels, recursion

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class KernelSynapse(Synapse):
    """A kernel of its own for each neuron that a connection reaches.

    Nengo's synapses filter all dimensions alike; SKIM's hidden neurons differ in time constants
    and delays. As with any synapse, what arrives at a step acts from the next step on.

    Parameters
    ----------
    kernels : Kernels
        In steps of the simulator, whatever its ``dt``.

    Examples
    --------
    >>> import nengo
    >>> from nengo_tactile.skim.kernels import draw_kernels
    >>> with nengo.Network():
    ...     pixels = nengo.Node(size_in=4)
    ...     hidden = nengo.Ensemble(50, 1, neuron_type=nengo.Tanh(tau_ref=1))
    ...     connection = nengo.Connection(
    ...         pixels,
    ...         hidden.neurons,
    ...         transform=nengo.dists.Uniform(-1, 1),
    ...         synapse=KernelSynapse(draw_kernels("alpha", 50, seed=0)),
    ...     )
    """

    kind = EnumParam("kind", values=KINDS, readonly=True)
    tau = NdarrayParam("tau", shape=("*",), readonly=True)
    delay = NdarrayParam("delay", shape=("*",), optional=True, readonly=True)
    period = NdarrayParam("period", shape=("*",), optional=True, readonly=True)

    def __init__(self, kernels: Kernels) -> None:
        super().__init__(default_size_in=len(kernels))
        self.kind = kernels.kind
        for name in ("tau", "delay", "period"):  # not the arrays of others: Nengo freezes them
            values = getattr(kernels, name)
            setattr(self, name, None if values is None else values.copy())

    @property
    def kernels(self) -> Kernels:
        """The kernels."""
        return Kernels(self.kind, self.tau, self.delay, self.period)

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=0):
        """States at rest: ``X``, the recursion's two; ``inputs``, the last inputs, newest first.

        Raises
        ------
        EngineError
            If there is not one kernel for each dimension, or a start other than rest is asked for.
        """
        if tuple(shape_in) != (len(self.tau),) or tuple(shape_out) != tuple(shape_in):
            raise EngineError(
                f"KernelSynapse has kernels for {len(self.tau)} neurons, but its signal has shape "
                f"{tuple(shape_in)}: draw one kernel for each neuron that the connection reaches"
            )
        if np.any(y0):
            raise EngineError(f"KernelSynapse starts at rest, but y0 is {y0}: leave y0 at 0")
        dtype = rc.float_dtype if dtype is None else np.dtype(dtype)
        state = {"X": np.zeros((2, *shape_out), dtype)}
        depth = len(recursion(self.kernels).weights)
        if depth > 1:
            state["inputs"] = np.zeros((depth, *shape_in), dtype)
        return state

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Make the step function of Nengo's reference simulator."""
        steps = recursion(self.kernels)
        a, b, c, d, p, q = steps.coefficients
        taps, weights = steps.taps[0], steps.weights
        states, inputs = state["X"], state.get("inputs")

        def step(t, signal):
            if inputs is None:
                current = taps * signal
            else:
                inputs[1:] = inputs[:-1]
                inputs[0] = signal
                current = np.einsum("in,in->n", weights, inputs)
            s, r = states.copy()
            states[0] = a * s + b * r + current
            states[1] = c * s + d * r
            return p * states[0] + q * states[1]

        return step


class SimKernels(SimProcess):
    """The operator of a `KernelSynapse`; its own type, for which NengoDL has a builder."""


register(KernelSynapse, SimKernels)


@nengo_dl.builder.Builder.register(SimKernels)
class SimKernelsBuilder(nengo_dl.builder.OpBuilder):
    """`KernelSynapse` in TensorFlow."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        (op,) = self.ops  # such operators are never merged
        steps = recursion(op.process.kernels)
        self.coefficients = [tf.constant(row, signals.dtype) for row in steps.coefficients]
        self.weights = tf.constant(steps.weights, signals.dtype)
        self.input = signals[op.input]
        self.output = signals[op.output]
        self.states = signals[op.state["X"]]
        self.inputs = signals[op.state["inputs"]] if "inputs" in op.state else None

    def build_step(self, signals):
        """One step."""
        a, b, c, d, p, q = self.coefficients
        current = signals.gather(self.input)
        if self.inputs is None:
            current = self.weights[0] * current
        else:
            last = signals.gather(self.inputs)[:, :-1]
            inputs = tf.concat([current[:, None], last], axis=1)
            signals.scatter(self.inputs, inputs)
            current = tf.reduce_sum(self.weights * inputs, axis=1)
        s, r = tf.unstack(signals.gather(self.states), axis=1)
        s, r = a * s + b * r + current, c * s + d * r
        signals.scatter(self.states, tf.stack([s, r], axis=1))
        signals.scatter(self.output, p * s + q * r)


__all__ = ["KernelSynapse", "SimKernels", "SimKernelsBuilder"]
