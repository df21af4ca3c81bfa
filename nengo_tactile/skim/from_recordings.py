"""From recordings to a trained SKIM network in one call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nengo_tactile import __version__
from nengo_tactile.errors import DataError
from nengo_tactile.events.labelled import Labelled, classes_of, longest_us
from nengo_tactile.events.patterns import RECORDING_STEPS, PatternLayout
from nengo_tactile.skim.classifier import SkimNetwork
from nengo_tactile.skim.layer import draw_layer
from nengo_tactile.skim.supervision import Supervision, training_pattern
from nengo_tactile.skim.trainer import train

#: Steps of the flat training pattern (Cohen et al. 2016, section 3.4).
_PATTERN_STEPS = 10


class _Pairs(Sequence):
    """Patterns with their labels, each made when it is asked for."""

    def __init__(self, patterns):
        self.patterns = patterns

    def __len__(self):
        return len(self.patterns)

    def __getitem__(self, number):
        return self.patterns[number], int(self.patterns.labels[number])


def fit(
    data: Any,
    n_hidden: int = 2000,
    layout: PatternLayout | None = None,
    supervision: Supervision | None = None,
    method: str = "area",
    seed: int = 0,
    state_path: str | Path | None = None,
    progress: bool | None = None,
    **options: Any,
) -> SkimNetwork:
    """Train a network of random synaptic kernels on recordings, in closed form.

    Parameters
    ----------
    data : data set of recordings, or list of (events, label)
    n_hidden : int
        Hidden neurons.
    layout : PatternLayout, optional
        How recordings become patterns. By default the longest recording fills 315 steps, as long
        as N-MNIST's in the paper, whose kernels these steps suit; 45 steps follow in which the
        network is trained and read; both polarities have channels.
    supervision : Supervision, optional
        By default the paper's flat training pattern, in the steps behind the recording.
    method : {"max", "area", "weighted-max", "weighted-area"}
        Output determination.
    seed : int
        Of the hidden layer.
    state_path : path, optional
        Keeps the sums; training that was stopped goes on from it.
    progress : bool, optional
    **options
        Of `nengo_tactile.skim.draw_layer`: ``kind`` of kernels, ``nonlinearity``, ``tau``...

    Returns
    -------
    SkimNetwork

    Raises
    ------
    DataError
        If recordings have no labels, or do not fit the layout.
    """
    recordings = Labelled(data, progress=progress)
    if layout is None:
        if recordings.sensor_size is None:
            raise DataError(
                "a list of recordings does not say its sensor's size: give layout="
                "PatternLayout(...)"
            )
        size = recordings.sensor_size
        step_us = -(-longest_us(recordings) // RECORDING_STEPS)
        layout = PatternLayout(size, step_us=step_us, separate_polarities=size[-1] == 2)
    patterns = layout.batch(recordings)
    classes = classes_of(data, patterns.labels)
    if supervision is None:
        pattern = training_pattern("flat", min(_PATTERN_STEPS, layout.tail_steps))
        supervision = Supervision(pattern, layout.n_steps, layout.tail_steps)
    layer = draw_layer(n_hidden, layout.n_channels, seed, **options)
    weights, _ = train(
        layer,
        _Pairs(patterns),
        supervision,
        len(classes),
        state_path=state_path,
        progress=progress,
    )
    card = {
        "summary": f"SKIM of {n_hidden} hidden neurons, {layer.kernels.kind} kernels.",
        "data": repr(data) if hasattr(data, "classes") else f"{len(patterns)} recordings",
        "seed": seed,
        "training samples": len(patterns),
        "nengo-tactile": __version__,
    }
    return SkimNetwork(layer, weights, supervision, method, layout, classes, card)
