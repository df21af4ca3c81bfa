"""Scales from calibration data: percentiles of activations, streamed in minibatches."""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import DataError

#: Bins of the streamed histogram: percentiles are exact to 1 / 8192 of the largest value.
N_BINS = 8192


def check_calibration(model, x, name="calibration data"):
    """Refuse calibration data that are empty, of another shape, NaN or infinite.

    Raises
    ------
    DataError
        Naming the first bad value and its index.
    """
    x = np.asarray(x)
    wanted = tuple(model.input_shape[1:])
    if x.ndim != len(wanted) + 1 or x.shape[1:] != wanted:
        raise DataError(
            f"{name}: shape {x.shape}, the model '{model.name}' takes (n_samples, "
            f"{', '.join(map(str, wanted))}): reshape or encode the samples"
        )
    if not len(x):
        raise DataError(f"{name}: no samples; give at least one, better 500")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{name}: values are {x.dtype}: give real numbers")
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise DataError(f"{name}: value {x[first]} at index {first}: remove or repair that sample")
    return x


def activation_percentiles(model, layer_names, x, percentile=99.9, batch_size=256):
    """Percentile of each layer's activations over ``x``, with bounded memory.

    The data pass twice: for the largest value, then for a histogram of `N_BINS` bins.

    Parameters
    ----------
    model : tf.keras.Model
    layer_names : list of str
    x : (n_samples, ...) array
    percentile : float
        Between 0 and 100; 99.9 as in Rueckauer et al. 2017.
    batch_size : int

    Returns
    -------
    dict of str to float
    """
    if not 0 < percentile <= 100:
        raise DataError(f"percentile is {percentile}: choose one above 0 and at most 100")
    tf = stack.tensorflow()
    x = check_calibration(model, x)
    outputs = [model.get_layer(name).output for name in layer_names]
    probe = tf.keras.Model(model.inputs, outputs)

    def batches():
        for start in range(0, len(x), batch_size):
            values = probe(tf.constant(x[start : start + batch_size], tf.float32))
            yield [v.numpy().ravel() for v in tf.nest.flatten(values)]

    top = np.zeros(len(layer_names))
    for values in batches():
        top = np.maximum(top, [v.max() for v in values])
    histograms = np.zeros((len(layer_names), N_BINS), np.int64)
    for values in batches():
        for index, v in enumerate(values):
            if top[index] > 0:
                v = np.clip(v, 0, top[index])
                histograms[index] += np.histogram(v, N_BINS, (0, top[index]))[0]
    result = {}
    for name, histogram, largest in zip(layer_names, histograms, top):
        cumulative = np.cumsum(histogram)
        if cumulative[-1] == 0:
            result[name] = 0.0
            continue
        position = np.searchsorted(cumulative, percentile / 100 * cumulative[-1])
        result[name] = float((position + 1) / N_BINS * largest)
    return result
