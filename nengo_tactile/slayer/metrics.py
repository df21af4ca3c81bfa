"""Accuracy of spiking Keras models by their spike counts, as a Keras metric."""

from nengo_tactile import stack
from nengo_tactile.slayer.outputs import arrange, weights_of_samples

tf = stack.tensorflow()


@tf.keras.utils.register_keras_serializable("nengo_tactile")
class SpikeAccuracy(tf.keras.metrics.Mean):
    """Share of the samples whose label's neuron fired most, the first among equals.

    Labels, spikes and masks are those of `nengo_tactile.slayer.losses`. A network that stays silent
    answers with class 0.

    Parameters
    ----------
    name : str
    dtype : str or None
        Of the result.
    """

    def __init__(self, name: str = "spike_accuracy", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)

    @tf.autograph.experimental.do_not_convert
    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take a batch in.

        Parameters
        ----------
        y_true : tensor, (n_samples,) or (n_samples, 1)
        y_pred : tensor, (n_samples, n_steps, n_classes)
        sample_weight : tensor, (n_samples,), or None
        """
        mask = getattr(y_pred, "_keras_mask", None)
        labels, spikes, _ = arrange(y_true, y_pred, mask)
        # unlike argmax, top_k promises the first among equals
        chosen = tf.math.top_k(tf.reduce_sum(spikes, axis=1)).indices[:, 0]
        return super().update_state(chosen == labels, weights_of_samples(sample_weight, mask))
