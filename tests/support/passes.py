"""Conversion on Keras models, in which tests write models and measure what became of them.

In the package it works on layers as plain data (`nengo_tactile.ann.layers`); here the same
functions take Keras models, and give them where they give layers.
"""

import functools

from nengo_tactile.ann import convolutions
from nengo_tactile.ann.layers import Layer, input_layer, layer
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.settings import SETTINGS, settings_of
from nengo_tactile.conversion import (
    accumulate,
    activation_scales,
    compensation,
    convert,
    correction,
    ends,
    folding,
    input_range,
    layerwise,
    normalise,
    passes,
    pooling,
    quantise,
    reading,
    sigma_delta,
    simplify,
    stages,
    step_scales,
    thresholds,
    trial_run,
)
from nengo_tactile.conversion.reading import plain


def _in_keras(value):
    if isinstance(value, tuple):
        return tuple(_in_keras(part) for part in value)
    return keras_model(value) if hasattr(value, "rebuilt") else value


def on_keras(function):
    """A function of layers as one of a Keras model."""

    @functools.wraps(function)
    def on_model(model, *arguments, **options):
        return _in_keras(function(plain(model), *arguments, **options))

    return on_model


def plain_layer(own, *shapes):
    """A layer of Keras as plain data, of inputs of some shapes; with its weights if it is built."""
    kind = type(own).__name__
    inputs = [input_layer(f"input_{number}", shape) for number, shape in enumerate(shapes)]
    if kind in SETTINGS:
        weights = own.get_weights() if own.built else None
        return layer(kind, own.name, inputs, weights, **settings_of(own))
    names = tuple(each.name for each in inputs)
    return Layer(own.name, kind, names, own.get_config(), (), shapes, ())


Accumulator = on_keras(accumulate.Accumulator)
activation_percentiles = on_keras(activation_scales.activation_percentiles)
max_rates = on_keras(compensation.max_rates)
search_compensation = on_keras(compensation.search_compensation)
with_compensation = on_keras(compensation.with_compensation)
prepare = on_keras(convert.prepare)
correct = on_keras(correction.correct)
read_out_of = on_keras(ends.read_out_of)
fold_batch_norm = on_keras(folding.fold_batch_norm)
fold_rescaling = on_keras(folding.fold_rescaling)
check_first_layer = on_keras(input_range.check_first_layer)
check_input = on_keras(input_range.check_input)
check_samples = on_keras(input_range.check_samples)
simulate = on_keras(layerwise.simulate)
layers_to_spike = on_keras(passes.layers_to_spike)
map_neurons = on_keras(passes.map_neurons)
spiking_layers = on_keras(passes.spiking_layers)
use_if = on_keras(passes.use_if)
use_lif = on_keras(passes.use_lif)
use_relu = on_keras(passes.use_relu)
with_smoothing = on_keras(passes.with_smoothing)
analogue_poolings = on_keras(pooling.analogue_poolings)
merge_average_pooling = on_keras(pooling.merge_average_pooling)
rectify_before_max_pooling = on_keras(pooling.rectify_before_max_pooling)
use_clip_floor = on_keras(quantise.use_clip_floor)
check_weights = on_keras(reading.check_weights)
per_layer = on_keras(sigma_delta.per_layer)
use_sigma_delta = on_keras(sigma_delta.use_sigma_delta)
graph_of = on_keras(stages.graph_of)
percentile_thresholds = on_keras(thresholds.percentile_thresholds)
search_thresholds = on_keras(thresholds.search_thresholds)
run_on = on_keras(trial_run.run_on)
settled_discard = on_keras(trial_run.settled_discard)
check_convolutions = on_keras(convolutions.check_convolutions)
activation_scales = on_keras(activation_scales.activation_scales)
normalise = on_keras(normalise.normalise)
simplify = on_keras(simplify.simplify)
activations = on_keras(step_scales.activations)
use_rectifiers = on_keras(passes.use_rectifiers)
