"""The static response of integrate-and-fire neurons as a Nengo neuron type that does not spike."""

import nengo
import numpy as np
from nengo.params import NumberParam

from nengo_tactile import stack
from nengo_tactile.neurons.integrate_fire import per_neuron

nengo_dl = stack.nengo_dl()
tf = stack.tensorflow()


class ClippedRate(nengo.RectifiedLinear):
    """``amplitude * clip(J, 0, top)``, and ``amplitude * slope * clip(J, -top, 0)`` below zero.

    Parameters
    ----------
    amplitude : float
    negative_slope : float
        The slope.
    top : float
        Above zero.
    """

    negative = True

    # a parameter of Nengo's: types that differ in it are not equal, and not simulated as one
    negative_slope = NumberParam("negative_slope", low=0, high=1, readonly=True)
    top = NumberParam("top", low=0, low_open=True, readonly=True)

    def __init__(self, amplitude=1, negative_slope=0.0, top=1.0, initial_state=None):
        super().__init__(amplitude=amplitude, initial_state=initial_state)
        self.negative_slope, self.top = negative_slope, top

    def step(self, dt, J, output):
        """One step of Nengo's reference simulator; ``output`` is changed in place."""
        below = self.negative_slope * np.clip(J, -self.top, 0)
        output[...] = self.amplitude * (np.clip(J, 0, self.top) + below)


class ClippedRateBuilder(nengo_dl.neuron_builders.TFNeuronBuilder):
    """`ClippedRate` in TensorFlow; neurons of different parameters may be merged."""

    def build_pre(self, signals, config):
        """Make what stays the same over all steps."""
        super().build_pre(signals, config)
        kinds, sizes = [op.neurons for op in self.ops], [op.J.shape[0] for op in self.ops]
        self.slopes = per_neuron([kind.negative_slope for kind in kinds], sizes, signals.dtype)
        self.amplitudes = per_neuron([kind.amplitude for kind in kinds], sizes, signals.dtype)
        self.tops = per_neuron([kind.top for kind in kinds], sizes, signals.dtype)

    def step(self, J, dt):
        """One step: returns the output."""
        below = self.slopes * tf.clip_by_value(J, -self.tops, 0.0)
        return self.amplitudes * (tf.clip_by_value(J, 0.0, self.tops) + below)


nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL[ClippedRate] = ClippedRateBuilder

__all__ = ["ClippedRate", "ClippedRateBuilder"]
