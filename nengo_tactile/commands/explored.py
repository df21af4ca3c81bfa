"""Samples of a run whose inputs are kept, so that its report can step through them."""

from typing import Any, NamedTuple

import numpy as np

#: Wrong ones and right ones, at most.
MOST_EACH = 12
#: Pictures of a sample that arrives over time, and rows and columns of one.
MOST_FRAMES, MOST_SIDE = 20, 64


class Explored(NamedTuple):
    """What is kept.

    Attributes
    ----------
    indices : (n,) int array
        Among the samples of the run.
    frames : (n, n_frames, height, width) uint8 array or None
        What each is shown, 255 the most of it: one image, or how it grows. None where inputs have
        no places.
    """

    indices: np.ndarray
    frames: np.ndarray | None


def explored(network: Any, measured: Any, transposed: bool = False) -> Explored:
    """Choose samples, and make pictures of their inputs.

    Parameters
    ----------
    network : Network
    measured : nengo_tactile.analysis.Measured
        With the samples that it read.
    transposed : bool
        Whether rows follow x where samples arrive step by step.

    Returns
    -------
    Explored
        Of no samples where the network does not decide between its outputs.
    """
    indices = chosen(measured, len(network.classes))
    frames = [_frames(np.asarray(measured.x[int(i)])) for i in indices]
    if not frames or any(each is None for each in frames):
        return Explored(indices, None)
    stacked = np.stack(frames)
    return Explored(
        indices, stacked.swapaxes(2, 3) if transposed and len(stacked[0]) > 1 else stacked
    )


def chosen(measured: Any, n_classes: int) -> np.ndarray:
    """The first wrong ones, and of the right ones some of each class."""
    labels, outputs = np.asarray(measured.labels), measured.recording.outputs
    if measured.targets.are_values or labels.ndim != 1 or outputs.shape[-1] != n_classes:
        return np.zeros(0, np.int64)
    answers = measured.recording.predictions()[:, -1]
    if answers.shape != labels.shape:  # several decisions a sample
        return np.zeros(0, np.int64)
    wrong, right = np.flatnonzero(answers != labels), np.flatnonzero(answers == labels)
    # the first of each class, then the second of each
    turn = [np.sum(labels[right[:k]] == labels[i]) for k, i in enumerate(right[:1000])]
    return np.r_[wrong[:MOST_EACH], right[np.argsort(turn, kind="stable")][:MOST_EACH]]


def _frames(sample):
    """Pictures of a sample, (n_frames, height, width), or None."""
    if sample.ndim not in (3, 4):  # neither an image nor one at each step
        return None
    steps = np.abs(sample).sum(axis=-1).reshape(-1, *sample.shape[-3:-1])
    n_frames = min(MOST_FRAMES, len(steps))
    ends = np.arange(1, n_frames + 1) * len(steps) // n_frames
    stride = -(-max(steps.shape[1:]) // MOST_SIDE)
    frames = np.cumsum(steps, axis=0)[ends - 1, ::stride, ::stride]
    return np.rint(frames / max(float(frames.max()), 1e-9) * 255).astype(np.uint8)
