"""Labels, output spikes and masks, as losses and metrics over spikes read them."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import DataError

tf = stack.tensorflow()


def check_labels(labels, n_classes):
    """Refuse labels that are none of the classes.

    Parameters
    ----------
    labels : array
    n_classes : int

    Raises
    ------
    DataError
        If one is not a whole number from 0 to ``n_classes - 1``.
    """
    labels = np.asarray(labels).ravel()
    wrong = ~np.isin(labels, np.arange(n_classes))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"label {labels[at]} of sample {at} is none of the {n_classes} classes of the output: "
            f"give whole numbers from 0 to {n_classes - 1}, or a network with more outputs"
        )


def arrange(y_true, y_pred, mask=None):
    """Labels, spikes and mask as losses and metrics read them.

    Parameters
    ----------
    y_true : array or tensor, (n_samples,) or (n_samples, 1)
    y_pred : array or tensor, (n_samples, n_steps, n_classes)
    mask : bool tensor, (n_samples, n_steps), or None

    Returns
    -------
    labels : int32 tensor, (n_samples,)
    spikes : float tensor, (n_samples, n_steps, n_classes)
        Zero where masked out.
    valid : float tensor, (n_samples, n_steps, 1)
        One where masked in.

    Raises
    ------
    DataError
        If shapes do not fit. Outside of graphs also if a label is none of the classes; in a graph
        such a sample's loss is NaN.
    """
    spikes, labels = tf.convert_to_tensor(y_pred), tf.convert_to_tensor(y_true)
    if spikes.dtype not in (tf.float32, tf.float64):
        spikes = tf.cast(spikes, tf.float32)
    if spikes.shape.rank not in (None, 3):
        raise DataError(
            f"y_pred has the shape {spikes.shape}, spikes are (n_samples, n_steps, n_classes): "
            "give the output layer's spikes at all steps"
        )
    if labels.shape.rank not in (None, 1) and labels.shape[1:] != [1]:
        raise DataError(
            f"y_true has the shape {labels.shape}, labels are (n_samples,) or (n_samples, 1): "
            "give whole numbers, np.argmax(y, axis=-1) for one-hot targets"
        )
    n_labels, n_samples = labels.shape[:1], spikes.shape[:1]
    if not n_labels.is_compatible_with(n_samples):
        raise DataError(f"y_true has {n_labels[0]} labels, y_pred {n_samples[0]} samples")
    if tf.executing_eagerly():
        check_labels(labels.numpy(), spikes.shape[2])
    labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
    if mask is None:
        return labels, spikes, tf.ones_like(spikes[..., :1])
    valid = tf.cast(mask, spikes.dtype)[..., None]
    return labels, spikes * valid, valid


def weights_of_samples(sample_weight, mask):
    """One weight a sample, where Keras has multiplied them with a mask of steps.

    Parameters
    ----------
    sample_weight : tensor or None
    mask : tensor, (n_samples, n_steps), or None

    Returns
    -------
    tensor or None

    Raises
    ------
    DataError
        If there is a weight for each step, and no mask.
    """
    shape = tf.TensorShape(getattr(sample_weight, "shape", ()))
    if shape.rank in (None, 0, 1):
        return sample_weight
    if mask is not None:
        return tf.reduce_max(tf.cast(sample_weight, tf.float32), axis=1)
    if not shape[1:].is_compatible_with([1]):
        raise DataError(
            f"sample_weight has the shape {shape}: losses over spikes take one weight a sample, "
            "and a Keras mask to leave steps out"
        )
    return sample_weight
