"""From recordings to a trained SLAYER network in one call."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nengo_tactile import __version__
from nengo_tactile.ann.notation import parse
from nengo_tactile.errors import DataError
from nengo_tactile.events.augment import Augmentation, Disturbance
from nengo_tactile.events.labelled import Labelled, classes_of, longest_us
from nengo_tactile.events.spikes import SpikeLayout
from nengo_tactile.slayer.classifier import SlayerNetwork
from nengo_tactile.slayer.losses import SpikemaxSoftmax
from nengo_tactile.slayer.models import build, stages_of
from nengo_tactile.slayer.neurons import SpikeResponseModel
from nengo_tactile.slayer.training import Recipe, train

if TYPE_CHECKING:
    from nengo_tactile.slayer.neurons import CurrentBasedLIF

#: Steps of a sample, where nothing else is said.
N_STEPS = 100


def fit(
    notation: str,
    data: Any,
    loss: Any = None,
    layout: SpikeLayout | None = None,
    neuron: "SpikeResponseModel | CurrentBasedLIF | None" = None,
    recipe: Recipe | None = None,
    validation: Any = None,
    augmentation: Disturbance | None = None,
    taxels: Any = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    **options: Any,
) -> SlayerNetwork:
    """Train a network of spiking neurons on recordings.

    Parameters
    ----------
    notation : str
        The network in the papers' notation, "8x8x2-32c3-2a-64-10o": height, width and polarities
        of the sensor first, as many outputs as there are classes last.
    data : data set of recordings, or list of (events, label)
    loss : tf.keras.losses.Loss, optional
        Of `nengo_tactile.slayer`; by default `SpikemaxSoftmax()`.
    layout : SpikeLayout, optional
        How recordings become spikes at steps. By default the longest recording fills 100 steps,
        and what a longer one would have after them is dropped.
    neuron : SpikeResponseModel or CurrentBasedLIF, optional
        By default a `SpikeResponseModel` whose kernels peak after 5 steps. `CurrentBasedLIF` runs
        on the Loihi emulator too, with ``max_delay=0``.
    recipe : Recipe, optional
    validation : data set of recordings, or list of (events, label), optional
        Scored after each epoch.
    augmentation : Disturbance, optional
        What happens to recordings in training, anew in each epoch; they are kept in memory then.
    taxels : TaxelMap, optional
        Of skins that are no grid, for augmentation; by default the data set's.
    seed : int
        Of weights, and of the order of the samples.
    checkpoint : path, optional
        Training goes on from it if it is there.
    progress : bool, optional
    **options
        Of `nengo_tactile.slayer.build`: ``dropout``, ``max_delay``, ``recurrent``, ``padding``...

    Returns
    -------
    SlayerNetwork

    Raises
    ------
    DataError
        If recordings have no labels, or network and data do not fit each other.
    SilenceError
        If the outputs never fire.
    """
    recordings = Labelled(data, progress=progress)
    if layout is None:
        if recordings.sensor_size is None:
            raise DataError(
                "a list of recordings does not say its sensor's size: give layout=SpikeLayout(...)"
            )
        bin_us = -(-longest_us(recordings) // N_STEPS)
        layout = SpikeLayout(recordings.sensor_size, bin_us, N_STEPS, late="drop")
    load = None
    if augmentation is None:
        samples = layout.batch(recordings)
    else:
        kept = list(recordings)
        samples = dataclasses.replace(layout.batch(kept), labels=recordings.labels)
        duration = layout.duration_us
        taxels = getattr(data, "taxels", None) if taxels is None else taxels
        change = Augmentation(augmentation, layout.sensor_size, seed, taxels, duration)
        load = _augmented(kept, layout, change)
    classes = classes_of(data, samples.labels)
    shape, layers = parse(notation)
    if tuple(shape) != layout.shape or layers[-1].units != len(classes):
        raise DataError(
            f"network {notation} reads {'x'.join(map(str, shape))} and has {layers[-1].units} "
            f"outputs, the recordings are {'x'.join(map(str, layout.shape))} of {len(classes)} "
            "classes: begin and end the notation with these numbers"
        )
    neuron = SpikeResponseModel(tau_s=5, tau_r=5) if neuron is None else neuron
    recipe = Recipe() if recipe is None else recipe
    loss = SpikemaxSoftmax() if loss is None else loss
    model = build(notation, neuron, n_steps=layout.n_steps, seed=seed, **options)
    history = train(
        model,
        samples,
        loss,
        recipe,
        seed,
        load,
        validation=None if validation is None else layout.batch(validation, progress),
        checkpoint=checkpoint,
        progress=progress,
        description=f"training {notation}",
    )
    card = {
        "summary": f"{notation}, trained on spikes with the loss {type(loss).__name__}.",
        "data": repr(data) if hasattr(data, "classes") else f"{len(samples)} recordings",
        "seed": seed,
        "training samples": len(samples),
        "epochs": recipe.epochs,
        "accuracy in the last epoch of training": history.accuracy[-1],
        "nengo-tactile": __version__,
    }
    if augmentation is not None:
        card["augmentation"] = repr(augmentation)
    if validation is not None:
        card["validation accuracy"] = history.validation_accuracy[-1]
    return SlayerNetwork(stages_of(model), layout, classes, card)


def _augmented(recordings, layout, augmentation):
    """Minibatches for `train`, each drawn anew."""

    def load(indices, rng):
        change = augmentation.of_round(int(rng.integers(2**31)))
        chosen = (change(recordings[i], f"recording {i}") for i in indices)
        samples = layout.batch(list(chosen), progress=False)
        return samples.dense(np.arange(len(samples))), samples.lengths

    return load
