"""Graphs of all kinds of stages, with weights that float32 adds up without rounding.

Weights, images and thresholds are multiples of 1/8 or 1/16, so that a spike cannot depend on the
order in which they are added.
"""

import dataclasses
import functools
import itertools

import numpy as np

import nengo_tactile
from nengo_tactile.ann.integrate_fire import rate_if_layer
from nengo_tactile.conversion.network import SpikingNetwork
from tests.support.passes import map_neurons, on_keras, simulate
from tests.support.random_models import keras

SHAPE, N_STEPS, N_OUTPUTS = (6, 6, 2), 24, 2


def neurons(x, name=None, **options):
    return rate_if_layer()(**{"start": 0.5, **options}, name=name)(x)


def conv(x, filters=2, size=3, padding="same", **options):
    return keras().layers.Conv2D(filters, size, padding=padding, **options)(x)


def residual(la, x):
    first = neurons(conv(x))
    return neurons(la.Add()([conv(neurons(conv(first))), first]))


def nested_sums(la, x):
    first, second = neurons(conv(x)), neurons(conv(x))
    inner = la.Add()([conv(first), second])
    return neurons(la.Subtract()([la.Average()([inner, first]), la.Add()([second, inner])]))


def joined(la, x):
    """Concatenation, padding, cropping and another order."""
    first, second = neurons(conv(x)), neurons(conv(x, 3))
    wide = [la.ZeroPadding2D(((1, 0), (0, 2)))(first), la.ZeroPadding2D(((0, 1), (1, 1)))(second)]
    both = la.Concatenate()([*wide, la.ZeroPadding2D(((0, 1), (2, 0)))(conv(second, 2, 1))])
    return neurons(conv(la.Permute((2, 1, 3))(la.Cropping2D(1)(both)), 2, 2, "valid"))


def unet(la, x):
    first = neurons(conv(x))
    down = neurons(conv(la.AveragePooling2D(2)(first), 4))
    up = la.UpSampling2D(2)(down)
    up_again = la.Conv2DTranspose(2, 2, 2)(down)
    return neurons(conv(la.Concatenate()([up, up_again, first]), 2))


def shared_relay(la, x):
    """A sum without neurons that three layers read."""
    first = neurons(conv(x))
    total = la.Add(name="total")([conv(first), first])
    return neurons(la.Add()([conv(total), neurons(conv(total, 2, 1)), total]))


def offset_in_front(la, x):
    """The border of a padded map gets nothing of the offset."""
    return neurons(conv(la.Rescaling(0.5, offset=-1.5)(neurons(conv(x)))))


def offset_of_the_image(la, x):
    return neurons(conv(la.Rescaling(0.5, offset=0.75)(x), 2, 5))


def maxima(la, x):
    first = neurons(conv(x))
    return neurons(conv(la.MaxPooling2D(3, 2, "same")(first), 2, 2))


def maxima_of_sums(la, x):
    """Max pooling of a relay that has biases, and a part below zero."""
    first = neurons(conv(x), negative_slope=0.25)
    pooled = la.MaxPooling2D(2)(la.Add()([conv(first), first]))
    return neurons(la.Add()([pooled, conv(pooled)]))


def maxima_of_the_image(la, x):
    """Windows that overlap and reach beyond the border, of pixels as they are."""
    return neurons(conv(la.MaxPooling2D(3, 2, "same")(x)))


def stem(la, x):
    """As in ResNet50V2: two branches read what comes behind convolution, padding and pooling."""
    pooled = la.MaxPooling2D(3, 2)(la.ZeroPadding2D(1)(conv(x, 3)))
    first = neurons(la.DepthwiseConv2D(1)(pooled))
    return neurons(la.Add()([conv(first, 3), pooled]))


def maxima_of_maxima(la, x):
    """Through a sum, a concatenation and a layer between two poolings."""
    wide = la.Concatenate()([la.Add()([conv(x), x]), la.Rescaling(-0.5, offset=0.25)(x)])
    once = la.MaxPooling2D(2, 1)(wide)
    twice = la.GlobalMaxPooling2D(keepdims=True)(conv(once, 2, 2))
    return neurons(la.Add()([conv(neurons(once), 2, 1), twice]))


def maximum_in_the_read_out(la, x):
    first = la.Flatten()(neurons(conv(x, 1, 2, strides=2)))
    return la.Concatenate()([first, la.GlobalMaxPooling2D()(conv(x))])


def maxima_of_both(la, x):
    """Windows that hold spikes, pixels, and sums of both."""
    first = neurons(conv(x))
    mixed = la.Concatenate()([la.Add()([conv(first), x]), la.Rescaling(0.5)(x), first])
    pooled = la.MaxPooling2D(2)(mixed)
    return neurons(la.Add()([conv(pooled, 2), la.MaxPooling2D(2)(conv(x))]))


def maxima_compensated(la, x):
    """What comes out of a pooling of spikes with constants counts as spikes altogether."""
    first = neurons(conv(x))
    pooled = la.MaxPooling2D(2)(la.Add()([conv(first), la.MaxPooling2D(2, 1, "same")(x)]))
    return neurons(conv(pooled), compensation=1.5)


def image_added_to_spikes(la, x):
    first = neurons(conv(x))
    mixed = la.Add()([conv(first), x])
    return neurons(la.Add()([conv(mixed), neurons(conv(la.Average()([mixed, first])))]))


def compensated(la, x):
    """Compensation enlarges spikes; through sums that both reach, the image stays as it is."""
    first = neurons(conv(x))
    mixed = la.Add()([conv(first), x])
    second = neurons(conv(la.Average()([mixed, first])), compensation=1.25)
    return neurons(la.Add()([conv(mixed), second]), compensation=1.5)


def compensated_beside_the_image(la, x):
    """Relays of relays, with biases; neurons that calibration has shifted."""
    first = neurons(conv(x), compensation=2.0)
    joined = la.Concatenate()([conv(first), la.Rescaling(0.5, offset=0.25)(x)])
    wide = la.ZeroPadding2D(1)(la.Add()([conv(joined, 4), joined]))
    return neurons(conv(wide, 2, 3, "valid"), compensation=1.5, name="shifted")


def image_in_the_read_out(la, x):
    first = la.Flatten()(neurons(conv(x, 1, 2, strides=2)))
    return la.Concatenate()([first, la.Flatten()(la.Cropping2D(2)(x))])


def broadcast(la, x):
    """A value per channel, added at all places."""
    first = neurons(conv(x))
    mean = la.GlobalAveragePooling2D(keepdims=True)(la.Cropping2D(1)(conv(first, 2, 1)))
    return neurons(la.Add()([conv(first), mean]))


def ends_in_neurons(la, x):
    return neurons(la.Dense(3)(la.Flatten()(x)))


GRAPHS = (
    *(residual, nested_sums, joined, unet, shared_relay, offset_in_front, offset_of_the_image),
    *(maxima, maxima_of_sums, maxima_of_the_image, stem, maxima_of_maxima, maxima_of_both),
    *(maximum_in_the_read_out, maxima_compensated),
    *(image_added_to_spikes, compensated, compensated_beside_the_image),
    *(image_in_the_read_out, broadcast, ends_in_neurons),
)


def with_dyadic_weights(model, seed=0):
    """Multiples of 1/8, a third of them zero so that potentials stay small."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name == "shifted":
            layer.set_weights([layer.start_potential, np.full(layer.shift.shape, 0.125)])
        elif type(layer).__name__ != "RateIF":
            layer.set_weights(
                [
                    rng.integers(-4, 5, w.shape) / 8 * (rng.random(w.shape) < 2 / 3)
                    for w in layer.get_weights()
                ]
            )
    return model


def model_of(graph, seed=0):
    """One graph by itself, read by a dense layer."""
    la = keras().layers
    inputs = keras().Input(SHAPE)
    x = graph(la, inputs)
    return with_dyadic_weights(
        keras().Model(inputs, la.Dense(N_OUTPUTS, name="out")(la.Flatten()(x)), name="net"), seed
    )


def graded(model):
    """The same with other neurons, one layer of them after the other: where it can be, signed."""
    number = itertools.count()

    def change(fires):
        n = next(number)
        if fires.reset == "zero":
            return fires
        most = (1, 3, 2)[n % 3]
        return dataclasses.replace(fires, signed=n % 4 != 3, spikes_per_step=most)

    return with_currents_of_steps(map_neurons(model, change))


@on_keras
def with_currents_of_steps(layers):
    """The same with other currents at the first five steps, for every other layer of neurons."""
    rng, number = np.random.default_rng(2), itertools.count()

    def replace(layer, inputs):
        if layer.kind != "RateIF" or next(number) % 2:
            return None
        early = rng.integers(-4, 5, (5, layer.shape[-1])) / 8
        return layer.changed(inputs, [*layer.weights, early], shift_steps=5)

    return layers.rebuilt(replace)


def images(n=3):
    return np.random.default_rng(5).integers(0, 9, (n, *SHAPE)).astype(np.float32) / 8


@functools.lru_cache
def everything(change=None):
    """All graphs side by side in one network, and what three simulators say."""
    la = keras().layers
    inputs = keras().Input(SHAPE)
    outputs = [la.Dense(N_OUTPUTS)(la.Flatten()(graph(la, inputs))) for graph in GRAPHS]
    model = with_dyadic_weights(keras().Model(inputs, la.Concatenate()(outputs)))
    model = model if change is None else change(model)
    network = SpikingNetwork(model, synapse=None, discard=0.0)
    x = images()
    recording = nengo_tactile.run(network, x, N_STEPS)
    wanted = simulate(model, x, N_STEPS, record=neuron_layers(model))
    return network, recording, wanted


def neuron_layers(model):
    return [layer.name for layer in model.layers if type(layer).__name__ == "RateIF"]
