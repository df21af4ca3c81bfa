"""Axonal delays, whole steps and different for each neuron, as a Nengo process.

Nengo's synapses have no pure delay. As the output of a Node with inputs the process delays by
exactly the steps it is given, also by none.
"""

import numpy as np
from nengo.base import Process
from nengo.builder.processes import SimProcess
from nengo.params import NdarrayParam
from nengo.rc import rc

from nengo_tactile import stack
from nengo_tactile.errors import EngineError
from nengo_tactile.neurons.processes import register

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class AxonalDelay(Process):
    """What arrives leaves ``delays`` steps later, dimension by dimension; zeros before.

    Parameters
    ----------
    delays : (n_neurons,) array of whole numbers from zero
        Steps of the simulator, whatever its ``dt``.

    Raises
    ------
    EngineError
        If they are none, not whole or below zero.

    Examples
    --------
    >>> import nengo
    >>> from nengo_tactile.neurons.axonal_delay import AxonalDelay
    >>> with nengo.Network():
    ...     axons = nengo.Node(AxonalDelay([0, 3, 7]), size_in=3)
    """

    delays = NdarrayParam("delays", shape=("*",), dtype=np.int64, readonly=True)

    def __init__(self, delays):
        values = np.array(delays, float)
        if values.ndim != 1 or not len(values):
            raise EngineError(
                f"AxonalDelay delays have shape {values.shape}: give one number for each neuron"
            )
        bad = ~(np.isfinite(values) & (values >= 0) & (values == np.round(values)))
        if bad.any():
            first = int(np.argmax(bad))
            raise EngineError(
                f"AxonalDelay of neuron {first} is {values[first]} steps: give whole numbers from 0"
            )
        super().__init__(default_size_in=len(values), default_size_out=len(values))
        self.delays = values.astype(np.int64)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """State at rest: ``inputs``, the last inputs, newest first.

        Raises
        ------
        EngineError
            If there is not one delay for each dimension.
        """
        if tuple(shape_in) != self.delays.shape or tuple(shape_out) != self.delays.shape:
            raise EngineError(
                f"AxonalDelay has delays for {len(self.delays)} neurons, but its signals have "
                f"shapes {tuple(shape_in)} and {tuple(shape_out)}: give one delay for each neuron"
            )
        dtype = rc.float_dtype if dtype is None else np.dtype(dtype)
        return {"inputs": np.zeros((int(self.delays.max()) + 1, *shape_in), dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Make the step function of Nengo's reference simulator."""
        inputs, delays, neurons = state["inputs"], self.delays, np.arange(len(self.delays))

        def step(t, signal):
            inputs[1:] = inputs[:-1]
            inputs[0] = signal
            return inputs[delays, neurons]

        return step


class SimAxonalDelay(SimProcess):
    """The operator of an `AxonalDelay`; its own type, for which NengoDL has a builder."""


register(AxonalDelay, SimAxonalDelay)


@nengo_dl.builder.Builder.register(SimAxonalDelay)
class SimAxonalDelayBuilder(nengo_dl.builder.OpBuilder):
    """`AxonalDelay` in TensorFlow."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        (op,) = self.ops  # such operators are never merged
        delays = op.process.delays
        self.shape = op.state["inputs"].shape
        # where in the flat history each neuron's output stands
        self.places = tf.constant(delays * len(delays) + np.arange(len(delays)), tf.int32)
        self.input = signals[op.input]
        self.output = signals[op.output]
        self.inputs = signals[op.state["inputs"]]

    def build_step(self, signals):
        """One step."""
        newest = signals.gather(self.input)
        inputs = tf.concat([newest[:, None], signals.gather(self.inputs)[:, :-1]], axis=1)
        signals.scatter(self.inputs, inputs)
        flat = tf.reshape(inputs, (-1, self.shape[0] * self.shape[1]))
        signals.scatter(self.output, tf.gather(flat, self.places, axis=1))


__all__ = ["AxonalDelay", "SimAxonalDelay", "SimAxonalDelayBuilder"]
