"""Quantised, clipped ReLU with a learned ceiling, to train for few time steps.

Bu et al. 2022, "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
networks" (QCFS). An integrate-and-fire neuron with a threshold of the ceiling ``c``, a membrane
potential of ``c / 2`` at the start and reset by subtraction, which fires at most one spike in a
time step, answers a constant current of ``x`` a step with exactly this activation after as many
steps as there are levels.
"""

import functools
import numbers

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError

#: Levels that lose little accuracy in the network and leave few steps to wait for.
LEVELS = 8
#: The ceiling stays above this while it is trained.
_SMALLEST = 1e-6


def check_levels(levels):
    """Return the number of levels as an int.

    Raises
    ------
    ConversionError
        If it is no whole number of at least 1.
    """
    if isinstance(levels, bool) or not isinstance(levels, numbers.Integral) or levels < 1:
        raise ConversionError(f"levels is {levels!r}: choose a whole number of at least 1")
    return int(levels)


@functools.cache
def clip_floor_layer():
    """The Keras layer class (made on first use, because TensorFlow is slow to load)."""
    tf = stack.tensorflow()

    @tf.custom_gradient
    def round_straight(value):
        """Nearest whole number, halves upwards; the gradient passes as if nothing was done."""
        return tf.floor(value + 0.5), lambda gradient: gradient

    def above_zero(value):
        return tf.maximum(value, _SMALLEST)

    @tf.keras.utils.register_keras_serializable("nengo_tactile")
    class ClipFloor(tf.keras.layers.Layer):
        """``ceiling * clip(floor(x * levels / ceiling + 1/2) / levels, 0, 1)``.

        The gradient passes the floor as if it were not there. For the ceiling that leaves the
        rounding error (in units of the ceiling) between 0 and the ceiling, and 1 above it.

        Parameters
        ----------
        levels : int
            Steps of the staircase between 0 and the ceiling.

        Attributes
        ----------
        ceiling : weight
            One number above zero.
        """

        def __init__(self, levels=LEVELS, **kwargs):
            super().__init__(**kwargs)
            self.levels = check_levels(levels)

        def build(self, input_shape):
            self.ceiling = self.add_weight("ceiling", (), initializer="ones", constraint=above_zero)
            super().build(input_shape)

        def call(self, x):
            # clipped first, which gives the same values and the gradient of clipping at 0 and 1
            share = tf.clip_by_value(x / self.ceiling, 0.0, 1.0)
            return self.ceiling * (round_straight(share * self.levels) / self.levels)

        def get_config(self):
            return {**super().get_config(), "levels": self.levels}

    return ClipFloor
