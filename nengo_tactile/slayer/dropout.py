"""Dropout for networks of spiking neurons, which goes on from a checkpoint where it was."""

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError

tf = stack.tensorflow()


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class HeldDropout(tf.keras.layers.Layer):
    """Leaves out some of its inputs in training, the same at all steps of a sample.

    What it leaves out depends on the seed and on how often it was called in training. That number
    is one of its variables, so training that goes on from a checkpoint leaves out the same.

    Parameters
    ----------
    rate : float
        Share of the inputs, at least 0, below 1.
    seed : int

    Raises
    ------
    ConversionError
        If the rate is out of its range.
    """

    def __init__(self, rate, seed=0, **options):
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ConversionError(
                f"layer {self.name!r}: rate is {rate}: give a share of at least 0, below 1"
            )
        self.rate, self.seed = float(rate), int(seed)
        self.calls = None

    def build(self, input_shape):
        """Make the number of calls."""
        self.calls = self.add_weight(
            "calls", (), tf.int32, tf.keras.initializers.Zeros(), trainable=False
        )
        super().build(input_shape)

    def call(self, spikes, training=False):
        """Spikes without those left out; the others grow, so that their mean stays."""
        if not training:
            return spikes
        shape = tf.shape(spikes)
        held = tf.concat([shape[:1], [1], shape[2:]], 0)
        drawn = tf.random.stateless_uniform(held, (self.seed, self.calls))
        self.calls.assign_add(1)
        return spikes * tf.cast(drawn >= self.rate, spikes.dtype) / (1 - self.rate)

    def get_config(self):
        """Arguments of the layer as plain values."""
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
