"""What a network should answer: classes, labels or values, and how far it does."""

import dataclasses

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.networks.read_out import ACTIVATIONS, ReadOut

#: Least probability in a cross-entropy, Keras's own.
_LEAST = 1e-7


@dataclasses.dataclass(frozen=True)
class Targets:
    """What a network should answer to some samples.

    Attributes
    ----------
    y : (n_samples, ...) array
        Labels as `Recording.accuracy` takes them, or values as `Recording.error` does.
    read_out : ReadOut
        Of the network.
    are_values : bool
    """

    y: np.ndarray
    read_out: ReadOut
    are_values: bool

    @property
    def what(self):
        """What is measured: "accuracy" or "error"."""
        return "error" if self.are_values else "accuracy"

    @property
    def n_counted(self):
        """Samples that the accuracy is a share of; None of an error."""
        return None if self.are_values else len(self.y)

    @property
    def spread(self):
        """Standard deviation of values, each output by itself."""
        y = np.asarray(self.y, float).reshape(len(self.y), -1)
        return float(np.sqrt(np.mean((y - y.mean(axis=0)) ** 2)))

    def curve(self, recording):
        """Accuracy or error if one stopped reading after each step, (n_steps,) float array."""
        return recording.error(self.y) if self.are_values else recording.accuracy(self.y)

    def measure(self, outputs):
        """Accuracy or error of potentials, (n_samples, n_outputs)."""
        if not self.are_values:
            return self.read_out.accuracy(outputs, self.y)
        off = self.read_out.apply(outputs).reshape(len(outputs), -1)
        return float(np.sqrt(np.mean((off - np.reshape(self.y, off.shape)) ** 2)))

    def measure_model(self, given):
        """The same of what the Keras model gives, behind its last activation.

        Parameters
        ----------
        given : (n_samples, *output_shape) array
        """
        given = given.reshape(len(given), -1)
        linear = dataclasses.replace(self.read_out, activation="linear")
        if self.are_values:
            return dataclasses.replace(self, read_out=linear).measure(given)
        # a probability of a half is a potential of 0
        half = 0.5 if self.read_out.activation == "sigmoid" else 0.0
        return self.read_out.accuracy(given - half, self.y)

    def loss(self, given):
        """How unlikely the targets are by what the Keras model gives: its cross-entropy.

        Unlike the accuracy it also tells a model that is too sure of itself, which ReLU networks
        are on images that are too bright. Of values, their error.

        Parameters
        ----------
        given : (n_samples, *output_shape) array
        """
        if self.are_values:
            return self.measure_model(given)
        labels, each = self.read_out.check_labels(self.y, len(given))
        given = np.reshape(given, (len(given), *self.read_out.output_shape)).astype(float)
        activation = self.read_out.activation
        if each or self.read_out.is_single:
            ends = {"sigmoid": lambda p: p, "tanh": lambda t: (1 + t) / 2}
            ones = ends.get(activation, ACTIVATIONS["sigmoid"])(given).reshape(labels.shape)
            right = np.where(labels == 1, ones, 1 - ones)
        else:
            shares = given if activation == "softmax" else ACTIVATIONS["softmax"](given)
            right = np.take_along_axis(shares, labels[..., None], axis=-1)
        return float(-np.log(np.maximum(right, _LEAST)).mean())

    def score(self, measured):
        """A measure as a number of which more is better, 1 at best: for choices and latencies."""
        if not self.are_values:
            return measured
        return 1 - measured / max(self.spread, np.finfo(float).tiny)

    def part(self, chosen):
        """The targets of some samples."""
        return dataclasses.replace(self, y=self.y[chosen])


def targets_of(read_out, y):
    """Targets of a network with this read-out.

    Parameters
    ----------
    read_out : ReadOut
    y : (n_samples, ...) array
        Numbers that are no classes of the network, but of its output's shape, are values.

    Returns
    -------
    Targets

    Raises
    ------
    DataError
        For what is neither.
    """
    y = np.asarray(y)
    if y.ndim == 0:
        raise DataError(f"labels have shape {y.shape}: give one for each sample")
    whole = (len(y), *read_out.output_shape)
    if y.shape == (len(y), 1) and not read_out.is_single and len(whole) == 2:
        y = y[:, 0]  # as CIFAR's labels come
    try:
        read_out.check_labels(y, len(y))
        # which tells classes, or does not
        read_out.decide(np.zeros((1, read_out.n_outputs), np.float32))
    except DataError:
        if not _are_values(read_out, y, whole):
            raise
        return Targets(y, read_out, True)
    return Targets(y, read_out, False)


#: What activations can give, least and largest.
_RANGES = {"linear": (-np.inf, np.inf), "sigmoid": (0, 1), "tanh": (-1, 1), "softplus": (0, np.inf)}


def _are_values(read_out, y, whole):
    """Whether the network's output can be these numbers, which are no classes of it."""
    if y.shape not in ({whole, whole[:-1]} if read_out.is_single else {whole}):
        return False
    if y.dtype.kind not in "iuf" or read_out.activation not in _RANGES:
        return False
    if not read_out.is_single and np.isin(y, (0, 1)).all():
        return False  # most likely one of several classes, written as 0 and 1
    least, largest = _RANGES[read_out.activation]
    return bool(np.isfinite(y).all() and y.min() >= least and y.max() <= largest)
