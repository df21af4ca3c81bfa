"""Scales from calibration samples: percentiles of activations, streamed in minibatches."""

import numpy as np

from nengo_tactile.conversion.input_range import check_input
from nengo_tactile.errors import ConversionError, DataError

#: Bins of a layer's histogram: percentiles are exact to 1 / 8192 of the largest value.
N_BINS = 8192
#: Bins of a channel's histogram.
N_CHANNEL_BINS = 2048


def activation_percentiles(
    layers, layer_names, x, percentile=99.9, batch_size=256, channelwise=False, nonzero=False
):
    """Percentile of the absolute value of each layer's activations over ``x``.

    The data pass twice: for the largest value, then for a histogram of `N_BINS` bins a layer, or
    `N_CHANNEL_BINS` bins a channel. Memory is bounded by these (64 KiB a layer, 16 KiB a channel)
    and by one minibatch's activations of a layer, four times over, and of what is read later.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
    layer_names : list of str
    x : (n_samples, ...) array
    percentile : float
        Between 0 and 100; 99.9 as in Rueckauer et al. 2017.
    batch_size : int
    channelwise : bool
        One percentile per channel (the last axis) instead of one per layer.
    nonzero : bool
        Percentile of the activations that are not zero, as Rueckauer et al.'s own code takes it.

    Returns
    -------
    dict of str to float, or to (channels,) array
        0 for a layer or channel without any activation.

    Raises
    ------
    ConversionError
        For a layer whose values are NaN or infinite.
    """
    histograms = histograms_of(layers, layer_names, x, percentile, batch_size, channelwise)
    return {
        name: _plain(histogram.percentile(percentile, nonzero), channelwise)
        for name, histogram in histograms.items()
    }


def activation_scales(
    layers, layer_names, x, percentile=99.9, batch_size=256, channelwise=False, nonzero=False
):
    """The activation that becomes one spike a step, for each activation layer.

    It is the percentile of its activations (see `activation_percentiles` for the parameters and
    the memory). Where all activations but a few are zero, so that the percentile of all is zero,
    it is the percentile of those that are not. A clipped ReLU's scale is at most its
    ``max_value``; it has one for all channels, and so does ClipFloor, whose scale is its ceiling.
    A LeakyReLU's values below zero count as what came in, because a neuron's negative spikes end
    at one a step too.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers
        From `nengo_tactile.conversion.simplify.simplify`.

    Returns
    -------
    dict of str to float, or to (channels,) array
        Above zero. A channel that is never active gets the largest scale of its layer.

    Raises
    ------
    ConversionError
        For a layer that is never active, or whose values are NaN or infinite.
    """
    slopes = {name: layers[name].config.get("alpha", 0) for name in layer_names}
    histograms = histograms_of(layers, layer_names, x, percentile, batch_size, channelwise, slopes)
    scales = {}
    for name, histogram in histograms.items():
        layer = layers[name]
        if not histogram.counts.any():
            raise ConversionError(
                f"{layer.label}: never active on the calibration samples, all "
                f"{int(histogram.total.sum())} values are 0; give calibration samples like those "
                "the model was trained on, or retrain without this layer"
            )
        scale = histogram.percentile(percentile, nonzero)
        among_zeros = histogram.percentile(percentile, False, zero_is=0.0) == 0
        scale = np.where(among_zeros, histogram.percentile(percentile, True), scale)
        scale = np.where(scale > 0, scale, scale.max())
        ceiling = layer.config.get("max_value")
        one_ceiling = layer.kind == "ClipFloor" or ceiling is not None
        if layer.kind == "ClipFloor":
            scale = np.full(1, float(layer.weights[0]))
        elif one_ceiling:
            scale = np.minimum(scale.max(keepdims=True), float(ceiling))
        scales[name] = _plain(scale, channelwise and not one_ceiling)
    return scales


def _plain(values, channelwise):
    return values if channelwise else float(values[0])


class Histogram:
    """Counts of a layer's absolute activations, per channel or all in one row."""

    def __init__(self, top, n_bins):
        self.top = np.asarray(top, float)
        self.total = np.zeros(len(self.top), np.int64)
        self.counts = np.zeros((len(self.top), n_bins), np.int64)  # of values that are not zero

    def add(self, values):
        """Count ``values``, (n, rows) array, absolute."""
        rows, n_bins = self.counts.shape
        self.total += len(values)
        per_value = np.divide(n_bins, self.top, out=np.zeros_like(self.top), where=self.top > 0)
        bins = (values * per_value.astype(np.float32)).astype(np.int32)
        np.minimum(bins, n_bins - 1, out=bins)
        if rows > 1:
            bins += np.arange(0, rows * n_bins, n_bins, dtype=np.int32)
        counts = np.bincount(bins.ravel(), minlength=rows * n_bins).reshape(rows, n_bins)
        counts[:, 0] -= len(values) - np.count_nonzero(values, axis=0)
        self.counts += counts

    def percentile(self, percentile, nonzero, zero_is=None):
        """Upper edge of the bin that holds the percentile of each row, (rows,) array.

        Where it lies among the zeros that is the first bin's edge, or ``zero_is``.
        """
        n_bins = self.counts.shape[1]
        nonzeros = self.counts.sum(axis=1)
        zeros = 0 if nonzero else self.total - nonzeros
        # in floating point 99.9 / 100 * 6000 is a little above 5994
        rank = percentile / 100 * (nonzeros + zeros) - 1e-6
        reached = zeros + np.cumsum(self.counts.T, axis=0)  # (bins, rows)
        value = ((reached < rank).sum(axis=0) + 1) / n_bins * self.top
        return value if zero_is is None else np.where(rank <= zeros, zero_is, value)


def histograms_of(layers, layer_names, x, percentile, batch_size, channelwise, slopes=None):
    """{layer name: `Histogram`} over two passes through the data.

    Values below zero of the layers with a slope are divided by it.
    """
    slopes = slopes or {}
    if not 0 < percentile <= 100:
        raise DataError(f"percentile is {percentile}: choose one above 0 and at most 100")
    x = check_input(layers, x)
    # a clipped ReLU gives a number for what is infinite
    before = {source for name in layer_names for source in layers[name].sources}
    looked_at = {*layer_names, *before, layers.output}

    def batches():
        for start in range(0, len(x), batch_size):
            batch = x[start : start + batch_size]
            for layer, value in layers.values(batch, looked_at):
                value = value.numpy()
                if not np.isfinite(value).all():
                    raise _not_finite(layers, batch, start)
                if layer.name not in layer_names:
                    continue
                slope = slopes.get(layer.name)
                if slope:
                    value = np.where(value < 0, value / slope, value)
                value = np.abs(value)
                yield layer.name, value.reshape(-1, value.shape[-1] if channelwise else 1)

    tops = {}
    for name, values in batches():
        top = values.max(axis=0)
        tops[name] = np.maximum(top, tops.get(name, top))
    n_bins = N_CHANNEL_BINS if channelwise else N_BINS
    histograms = {name: Histogram(tops[name], n_bins) for name in layer_names}
    for name, values in batches():
        histograms[name].add(values)
    return histograms


def _not_finite(layers, batch, start):
    """The error that names the first layer of NaN or infinite values; samples count from ``start``.

    Returns
    -------
    ConversionError
    """
    values = layers.values(batch, {layer.name for layer in layers})
    values = ((layer, value.numpy()) for layer, value in values)
    layer, value = next((la, value) for la, value in values if not np.isfinite(value).all())
    wrong = ~np.isfinite(value)
    index = tuple(np.argwhere(wrong)[0].tolist())
    return ConversionError(
        f"{layer.label}: its output for calibration sample {start + index[0]} has the value "
        f"{value[index]} at index {index[1:]} ({np.count_nonzero(wrong)} of {wrong.size} values of "
        f"{len(batch)} samples are NaN or infinite), inputs go from {np.min(batch):.4g} to "
        f"{np.max(batch):.4g}: give calibration data in the range that the model was trained on; "
        "if they are, train again with a lower learning rate"
    )
