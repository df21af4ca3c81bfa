"""From images to spikes: the steps that the demo, the tables and the shipped models share."""

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import Measured
from nengo_tactile.ann import build, training
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.lif_training import LIFRecipe, lif_network, train_in_nengo_dl
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.engines.loihi import CHIP_RATE, chip_report, chip_settings

#: Training samples that scales, firing rates and synapse are chosen on, at most.
CALIBRATION_SAMPLES = 512


def train_cnn(notation, data, recipe, seed, validation=None, checkpoint=None, progress=None):
    """Build and train the paper's CNN.

    Returns
    -------
    tf.keras.Model
    """
    model = build(notation, seed=seed)
    training.train(
        model,
        data,
        recipe,
        seed=seed,
        validation=validation,
        checkpoint=checkpoint,
        progress=progress,
        description=f"training {notation}",
    )
    return model


def train_snn(model, data, recipe=LIFRecipe(), seed=0, progress=None):  # noqa: B008 (frozen)
    """Train on with LIF rates in NengoDL, as the paper's ANN-SNN row does.

    Returns
    -------
    tf.keras.Model
        With LIF rates.
    """
    lif = lif_network(model, calibration_samples(data[0], seed), LIF(max_rate=recipe.max_rate))
    trained, _ = train_in_nengo_dl(lif, data, recipe=recipe, seed=seed, progress=progress)
    return trained


def calibration_samples(x, seed=0):
    """Random samples to calibrate on: data sets may be sorted by class.

    Parameters
    ----------
    x : (n_samples, ...) array
    seed : int

    Returns
    -------
    array
        At most `CALIBRATION_SAMPLES` of them, in random order.
    """
    return x[np.random.default_rng(seed).permutation(len(x))[:CALIBRATION_SAMPLES]]


def to_spikes(model, task, x, seed=0, progress=None, **options):
    """Convert to LIF neurons, which all engines take, tuned on training samples."""
    x = calibration_samples(x, seed)
    return convert(model, x, LIF(), image=task.image, progress=progress, **options)


def on_nengo_dl(network, x, y, progress=None, n_steps=None):
    """Run all samples in NengoDL."""
    return Measured(engines.run(network, x, n_steps, progress=progress), np.asarray(y), x)


def on_emulator(network, x, y, progress=None, rate=CHIP_RATE):
    """Run all samples in the chip's integers, at the rates that suit the chip.

    Whatever their accuracy, for it is what is asked for.
    ``rate`` is a factor on the firing rates: see `nengo_tactile.engines.loihi.chip_settings`.
    """
    shown = chip_settings(network, rate)
    recording = engines.run(shown, x, engine="loihi", progress=progress, least_agreement=0)
    return Measured(recording, np.asarray(y), x)


def on_chip(network, rate=CHIP_RATE):
    """Where the network lies on the chip."""
    return chip_report(chip_settings(network, rate))
