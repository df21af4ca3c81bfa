"""What a sigma-delta neuron has sent when it comes to rest, as a Keras layer.

Yousefzadeh et al., "Conversion of Synchronous Artificial Neural Network to Asynchronous Spiking
Neural Network using sigma-delta quantization": neurons send changes of their quantised activation.
A network with these layers in place of its ReLUs, shown images of one bit
(`nengo_tactile.events.coding.DelayCoding.total`), is the paper's quantised ANN (Table I).
"""

import dataclasses
import functools
import math
import numbers

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class SigmaDeltaParameters:
    """A layer of sigma-delta neurons.

    Attributes
    ----------
    threshold : float
        Step of the quantisation, in the unit of the activation; a spike is worth so much.
    rectify : bool
        Whether the ReLU of the potential is quantised, or the potential itself.
    """

    threshold: float
    rectify: bool = True

    #: Weights stay as they were trained.
    gain = 1.0

    def __post_init__(self):
        check_threshold(self.threshold)

    @property
    def amplitude(self):
        """Output per spike."""
        return self.threshold


def check_threshold(value, name="sigma-delta threshold"):
    """Return a threshold as a float.

    Raises
    ------
    ConversionError
        If it is no finite number above zero.
    """
    if not isinstance(value, numbers.Real) or not (math.isfinite(value) and value > 0):
        raise ConversionError(f"{name} is {value!r}: give a finite number above zero")
    return float(value)


@functools.cache
def sigma_delta_layer():
    """The Keras layer class (made on first use, because TensorFlow is slow to load)."""
    tf = stack.tensorflow()

    @tf.custom_gradient
    def truncate_straight(value):
        """The whole number towards zero; the gradient passes as if nothing was done."""
        return tf.sign(value) * tf.floor(tf.abs(value)), lambda gradient: gradient

    @tf.keras.utils.register_keras_serializable("nengo_tactile")
    class SigmaDelta(tf.keras.layers.Layer):
        """``threshold * floor(max(x, 0) / threshold)``: direct quantisation, without hysteresis.

        A neuron whose potential only rises to ``x``, by at most one threshold at a time, has sent
        exactly this: the paper's Algorithm 1 fires as soon as a whole threshold is missing, so it
        never sends more than the potential holds. Rounding to the nearest would promise half a
        threshold more. A potential that overshot and fell back leaves what was sent anywhere less
        than one threshold from ``max(x, 0)``, so that it may be one spike more than this.
        Without ``rectify`` numbers below zero are quantised towards zero too.

        The gradient passes the floor as if it were not there: it is that of the ReLU.

        Parameters
        ----------
        threshold, rectify :
            See `SigmaDeltaParameters`.
        """

        def __init__(self, threshold, rectify=True, **kwargs):
            super().__init__(**kwargs)
            self.parameters = SigmaDeltaParameters(check_threshold(threshold), bool(rectify))

        def call(self, x):
            threshold = self.parameters.threshold
            value = tf.nn.relu(x) if self.parameters.rectify else x
            return threshold * truncate_straight(value / threshold)

        def get_config(self):
            return {**super().get_config(), **dataclasses.asdict(self.parameters)}

    return SigmaDelta
