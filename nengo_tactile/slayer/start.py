"""Weights that start from the data: each layer scaled, in order, until its neurons fire.

Whether weights of a given size make neurons fire is up to how many events a sample has, to the
length of a step and to the neurons. A network that is silent hardly learns: errors reach weights
through spikes. Layer after layer the rate is measured, in the neurons' own dynamics, on what the
layers before send, and the weights are scaled until it is right: as Mishkin and Matas 2016, "All
you need is a good init", do for the variance of other networks.
"""

import numpy as np

from nengo_tactile import stack
from nengo_tactile.slayer.models import spiking_layers

tf = stack.tensorflow()

#: Spikes per sample of a neuron that the input reaches. Of 0.25 to 4, one is among the best for few
#: events and for many: ``benchmarks/slayer_start.py``.
RATE = 1.0
#: The rate is right when it is so near, as a share of it: a step of the search that is left out
#: would change weights by about as much.
TOLERANCE = 0.1
#: Training samples on which rates are measured.
SAMPLES = 32
#: Scales that are tried go from the inverse of this to it.
_LARGEST = 2.0**20
#: A search ends between scales that differ by less; the rate then jumps there.
_CLOSEST = 1.001


def scale_weights(model, batches, rate=RATE):
    """Scale weights that were drawn without a gain until neurons fire at a rate, in place.

    Layers with a gain, poolings, and weights that are no longer those that were drawn stay as they
    are. A layer that fires at no scale (nothing reaches it, or no more than inhibits it) stays
    too: training says so.

    Parameters
    ----------
    model : tf.keras.Model
        From `nengo_tactile.slayer.build`.
    batches : list of (tensor, tensor)
        From `look_at`.
    rate : float
        Spikes per sample, mean over the neurons of each sample that any spike reaches.

    Returns
    -------
    dict of str to (float, float)
        The scale of each layer that was scaled, and its rate.
    """
    layers, found = spiking_layers(model), {}
    waiting = [layer for layer in layers if layer.waits_for_data]
    for layer in layers[: layers.index(waiting[-1]) + 1] if waiting else ():
        if layer in waiting:
            scale, got = _scale_of(layer, batches, rate)
            if got:
                layer.scale.assign(scale)
                found[layer.name] = scale, got
        batches = [(layer.send(layer.fire(spikes)), valid) for spikes, valid in batches]
    return found


def look_at(samples, seed=0, load=None, batch_size=SAMPLES):
    """Minibatches of some samples with events, to measure rates on.

    Parameters
    ----------
    samples : SpikeSamples
    seed : int
        Which samples.
    load : callable, optional
        As `nengo_tactile.slayer.training.train` has it.
    batch_size : int
        Samples at a time.

    Returns
    -------
    list of (tensor, tensor)
        Spikes, (n, n_steps, ...), and which of their steps are no padding, (n, n_steps).
    """
    rng = np.random.default_rng((seed, 2))
    chosen = rng.permutation(np.flatnonzero(np.diff(samples.offsets)))[:SAMPLES]
    batches = []
    for start in range(0, len(chosen), batch_size):
        part = chosen[start : start + batch_size]
        x, lengths = load(part, rng) if load else (samples.dense(part), samples.lengths[part])
        valid = tf.sequence_mask(lengths, x.shape[1], tf.float32)
        batches.append((tf.constant(x, tf.float32), valid))
    return batches


def fires(model, batches):
    """Whether any output of a network fires under spikes from `look_at`."""
    return any(
        bool(tf.reduce_any(model(spikes) * valid[..., None] > 0)) for spikes, valid in batches
    )


def _scale_of(layer, batches, rate):
    """The scale of a layer at which it fires at a rate under minibatches of spikes, and its rate"""
    driven = [_driven(layer.currents(spikes), valid) for spikes, valid in batches]
    return _search(lambda factor: _rate(layer, driven, factor), rate)


def _driven(currents, valid):
    """Currents, which of their steps are no padding, and how many neurons have any."""
    valid = valid[(..., *(None,) * (len(currents.shape) - 2))]
    return currents, valid, int(tf.math.count_nonzero(tf.reduce_any(currents * valid != 0, 1)))


def _rate(layer, driven, factor):
    """Spikes per sample of neurons that any spike reaches, with all weights times a factor."""
    fired = sum(float(tf.reduce_sum(layer.answer(x, factor) * valid)) for x, valid, _ in driven)
    return fired / max(sum(reached for *_, reached in driven), 1)


def _search(rate_of, wanted):
    """A factor at which a rate is near what is wanted, and the rate there.

    Rates rise with factors, by and large, in steps. Where the rate stays too low, the factor is
    the least that has the highest rate.
    """
    low = high = 1.0
    rates = {1.0: rate_of(1.0)}
    while rates[high] < wanted and high < _LARGEST:
        low, high = high, 2 * high
        rates[high] = rate_of(high)
    while rates[low] >= wanted and low > 1 / _LARGEST:
        low, high = low / 2, low
        rates[low] = rate_of(low)

    def nearest():
        return min(rates, key=lambda factor: (abs(rates[factor] - wanted), factor))

    while (
        rates[low] < wanted <= rates[high]
        and abs(rates[nearest()] - wanted) > TOLERANCE * wanted
        and high > _CLOSEST * low
    ):
        middle = float(np.sqrt(low * high))
        rates[middle] = rate_of(middle)
        low, high = (middle, high) if rates[middle] < wanted else (low, middle)
    return nearest(), rates[nearest()]
