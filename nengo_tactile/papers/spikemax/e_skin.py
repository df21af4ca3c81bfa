"""Networks for the e-skin's spikes: chosen on training writers held out, read on test writers.

Functions that a sweep runs over a grid, ``nengo-tactile sweep
nengo_tactile.papers.spikemax.e_skin:held_out --grid grid.json``; docs/touch.md has what came out.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.datasets.splits import split_by_writer
from nengo_tactile.events.sparse import joined
from nengo_tactile.papers.spikemax import runs
from nengo_tactile.papers.spikemax.plan import SETTINGS
from nengo_tactile.slayer.neurons import SpikeResponseModel


def setting_of(name="eskin", bin_ms=10, tau_ms=50.0, recipe=None, **changes):
    """A setting of SETTINGS in other steps, with times and windows that stay as long.

    Parameters
    ----------
    name : str
        Of `SETTINGS`.
    bin_ms : int
        Of a step.
    tau_ms : float
        Of the neurons' response and refractoriness.
    recipe : dict, optional
        Changes to the recipe.
    **changes
        See `Setting`; ``max_delay`` is in steps.

    Returns
    -------
    Setting
    """
    setting = SETTINGS[name]
    whole, bin_us = setting.layout.n_steps * setting.layout.bin_us, 1000 * bin_ms
    layout = dataclasses.replace(setting.layout, bin_us=bin_us, n_steps=round(whole / bin_us))
    window = max(1, round(setting.window * setting.layout.bin_us / bin_us))
    given = {"max_delay": min(setting.max_delay, layout.n_steps - 1), "window": window, **changes}
    return dataclasses.replace(
        setting,
        layout=layout,
        neuron=SpikeResponseModel(tau_ms / bin_ms, tau_ms / bin_ms),
        recipe=dataclasses.replace(setting.recipe, **(recipe or {})),
        **given,
    )


@functools.lru_cache(maxsize=9)
def _simulated(dataset, layout, split, seed):
    """Spikes and writers of one simulation."""
    data = open_dataset(dataset, split, seed=seed)
    return layout.batch(data, progress=False), np.asarray(data.writers)


def _simulations(setting):
    """Training samples of all simulations, and their writers."""
    parts = [
        _simulated(setting.dataset, setting.layout, "train", seed)
        for seed in range(setting.simulations)
    ]
    return joined([samples for samples, _ in parts]), np.concatenate([who for _, who in parts])


def held_out(
    name="eskin", loss="spikemax_s", fold=0, seed=0, n_folds=5, epochs=None, learning_rate=None,
    **settings,
):  # fmt: skip
    """Accuracy of a recipe on training writers that it was not made from.

    Parameters
    ----------
    name : str
        Of `SETTINGS`; its writers are known.
    loss : str
        Of `published.LOSSES`.
    fold : int
        Each ``n_folds``-th writer from this one on is held out.
    seed : int
        Of weights and of the order of the samples.
    n_folds : int
    epochs : int, optional
        Passes over all simulations.
    learning_rate : float, optional
    **settings
        See `setting_of`.

    Returns
    -------
    dict
        Of numbers, for a sweep: ``accuracy``, ``train_accuracy`` of the last epoch, ``n_test``
        recordings, those of the first simulation alone, ``seconds`` of training.
    """
    setting = _with_recipe(name, epochs, learning_rate, settings)
    samples, writers = _simulations(setting)
    train, test = split_by_writer(writers, np.unique(writers)[fold::n_folds])
    test = test[test < len(writers) // setting.simulations]
    return _found(setting, loss, (samples.take(train), samples.take(test)), seed)


def tested(
    name="eskin", loss="spikemax_s", seed=0, epochs=None, learning_rate=None, **settings
):  # fmt: skip
    """Accuracy on the test writers, of a recipe that is chosen: as `held_out`."""
    setting = _with_recipe(name, epochs, learning_rate, settings)
    test, _ = _simulated(setting.dataset, setting.layout, "test", 0)
    return _found(setting, loss, (_simulations(setting)[0], test), seed)


def _with_recipe(name, epochs, learning_rate, settings):
    recipe = {"epochs": epochs, "learning_rate": learning_rate}
    given = {key: value for key, value in recipe.items() if value is not None}
    return setting_of(name, recipe=given, **settings)


def _found(setting, loss, parts, seed):
    _, history, found = runs.train_and_test(
        setting, parts, loss, setting.recipe, seed, checkpoint=None, progress=False
    )
    return {
        "accuracy": found["accuracy"],
        "train_accuracy": history.accuracy[-1],
        "n_test": len(parts[1]),
        "seconds": round(sum(history.seconds)),
    }
