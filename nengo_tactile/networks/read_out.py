"""What a network's read-out means: the end of the Keras model, which does not spike.

A spiking network ends in potentials. The model that it stands for may have put an activation
behind them (a softmax, a sigmoid), or a Reshape behind that; conversion cuts both off, and a
`ReadOut` remembers them, so that what was measured can be told in the model's own terms.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile.errors import ConversionError, DataError


def _softmax(values):
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _sigmoid(values):
    # of the negative absolute value, whose exponential cannot overflow
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1, small) / (1 + small)


def _softplus(values):
    return np.logaddexp(values.dtype.type(0), values)


#: Activations that a model may end in, by Keras's names: what they make of potentials.
ACTIVATIONS = {
    "linear": lambda values: values,
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": _softplus,
}
#: Those that tell two classes apart by one output: above and below a potential of 0, which is a
#: probability of a half, or a logit of 0.
_TELL_TWO = ("linear", "sigmoid", "tanh")


@dataclasses.dataclass(frozen=True)
class ReadOut:
    """How potentials of a network's outputs become what the Keras model gives.

    Attributes
    ----------
    activation : {"linear", "softmax", "sigmoid", "tanh", "softplus"}
    shape : tuple of int
        What the activation acts on, without the sample axis; a softmax over the last axis.
    output_shape : tuple of int
        Of one sample of the Keras model's output.
    """

    activation: str
    shape: tuple
    output_shape: tuple

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise ConversionError(
                f"the read-out's activation is {self.activation!r}: choose one of "
                f"{', '.join(ACTIVATIONS)}"
            )
        for name in ("shape", "output_shape"):
            object.__setattr__(self, name, tuple(int(size) for size in getattr(self, name)))
        if math.prod(self.shape) != math.prod(self.output_shape):
            raise ConversionError(
                f"the read-out's shape is {self.shape} and the model's output_shape "
                f"{self.output_shape}: give shapes of equally many values"
            )
        if self.activation == "softmax" and (not self.shape or self.shape[-1] < 2):
            raise ConversionError(
                f"the read-out is a softmax over the last axis of {self.shape}, which gives 1 "
                "whatever its input: end the model in two outputs, or in a sigmoid"
            )

    @classmethod
    def linear(cls, shape):
        """Potentials as they are, of shape ``shape``."""
        return cls("linear", shape, shape)

    @property
    def n_outputs(self):
        """Number of potentials."""
        return math.prod(self.shape)

    @property
    def is_single(self):
        """Whether there is one output (of each place of a map), which can tell two classes."""
        return not self.output_shape or self.output_shape[-1] == 1

    @property
    def is_multi_label(self):
        """Whether each of several outputs decides for itself."""
        return self.activation == "sigmoid" and not self.is_single

    @property
    def n_classes(self):
        """Classes between which it decides, or labels that it gives."""
        return 2 if self.is_single else self.output_shape[-1]

    def apply(self, outputs):
        """What the Keras model gives for such potentials.

        Parameters
        ----------
        outputs : (..., n_outputs) array

        Returns
        -------
        (..., *output_shape) float array

        Raises
        ------
        DataError
            If these are not as many outputs.
        """
        outputs = self._checked(outputs)
        before = outputs.shape[:-1]
        values = ACTIVATIONS[self.activation](outputs.reshape(*before, *self.shape))
        return values.reshape(*before, *self.output_shape)

    def decide(self, outputs):
        """Classes for such potentials.

        One output (of each place) tells class 1 from class 0 by a potential above 0; each of
        several sigmoids does so for itself; otherwise the largest of the last axis wins.

        Parameters
        ----------
        outputs : (..., n_outputs) array

        Returns
        -------
        (..., *places) int array
            Of shape (...) for one answer a sample; ``places`` are the model's output without its
            last axis, with several sigmoids the whole of it.

        Raises
        ------
        DataError
            If these are not as many outputs, or tell no classes.
        """
        return self._decide(self._checked(outputs), self.is_multi_label)

    def _decide(self, outputs, each):
        values = outputs.reshape(*outputs.shape[:-1], *self.output_shape)
        if not (each or self.is_single):
            return values.argmax(axis=-1)
        self._check_two()
        if not each and self.output_shape:
            values = values[..., 0]
        return (values > 0).astype(np.int64)

    def _check_two(self):
        """Refuse an output whose sign tells no class."""
        if self.activation not in _TELL_TWO:
            raise DataError(
                f"the network has one output behind a {self.activation}, which tells no classes: "
                "use recording.predict() and recording.error(values)"
            )

    def margin(self, outputs):
        """How far outputs are from another decision, in their own units.

        Where the largest wins, how much larger it is than the second; of one output its distance
        from 0, of several sigmoids the least of these. Of a map the least of all places.

        Parameters
        ----------
        outputs : (..., n_outputs) array

        Returns
        -------
        (...) array

        Raises
        ------
        DataError
            See `decide`.
        """
        outputs = self._checked(outputs)
        if self.decides_by_sign:
            self._check_two()
            return np.abs(outputs).min(axis=-1)
        n_places = self.n_outputs // self.n_classes
        values = outputs.reshape(*outputs.shape[:-1], n_places, self.n_classes)
        second, first = np.moveaxis(np.partition(values, -2, axis=-1)[..., -2:], -1, 0)
        return (first - second).min(axis=-1)

    @property
    def decides_by_sign(self):
        """Whether outputs decide by being above 0, each for itself, and not by being largest."""
        return self.is_single or self.is_multi_label

    def accuracy(self, outputs, labels):
        """Share of right decisions; of several for one sample, each counts.

        Parameters
        ----------
        outputs : (n_samples, n_outputs) or (n_samples, n_steps, n_outputs) array
        labels : (n_samples, *places) int array
            See `decide`. One output takes labels of the model's output shape too, and several
            sigmoids one class for each sample (or place), for which the largest output counts.

        Returns
        -------
        float, or (n_steps,) float array

        Raises
        ------
        DataError
            For labels that do not fit, with the remedy.
        """
        outputs = self._checked(outputs)
        labels, each = self.check_labels(labels, len(outputs))
        if outputs.ndim == 2:
            return float((self._decide(outputs, each) == labels).mean())
        # step by step: the decisions of a map take as much memory as its outputs
        steps = range(outputs.shape[1])
        return np.array([(self._decide(outputs[:, t], each) == labels).mean() for t in steps])

    def right(self, outputs, labels):
        """Share of each sample's decisions that is right.

        Parameters
        ----------
        outputs : (n_samples, n_outputs) array
        labels : (n_samples, *places) int array
            See `accuracy`.

        Returns
        -------
        (n_samples,) float array

        Raises
        ------
        DataError
            For labels that do not fit, with the remedy.
        """
        decisions, labels = self.answers(outputs, labels)
        hits = decisions == labels
        return hits.reshape(len(hits), -1).mean(axis=1)

    def answers(self, outputs, labels):
        """Decisions and what they should be, of the same shape.

        Parameters
        ----------
        outputs : (n_samples, n_outputs) array
        labels : (n_samples, *places) int array
            See `accuracy`.

        Returns
        -------
        decisions, labels : (n_samples, *places) int arrays

        Raises
        ------
        DataError
            For labels that do not fit, with the remedy.
        """
        outputs = self._checked(outputs)
        labels, each = self.check_labels(labels, len(outputs))
        return self._decide(outputs, each), labels

    def check_labels(self, labels, n_samples):
        """Labels as integers, and whether they are for each of several outputs.

        Parameters
        ----------
        labels : (n_samples, *places) array
            See `accuracy`. Whole numbers of any type.
        n_samples : int

        Returns
        -------
        labels : (n_samples, *places) int array
        each : bool

        Raises
        ------
        DataError
            For another shape, and values that are no classes of this network.
        """
        labels = np.asarray(labels)
        whole, places = (n_samples, *self.output_shape), (n_samples, *self.output_shape[:-1])
        each = self.is_multi_label and labels.shape == whole
        if not each and self.is_single and labels.shape == whole:
            labels = labels.reshape(places)
        if not each and labels.shape != places:
            raise DataError(
                f"labels have shape {labels.shape}, {self._told(n_samples)} takes "
                f"{' or '.join(self._label_shapes(whole, places))}: "
                + (
                    "give class numbers (`labels.argmax(-1)` of one-hot labels), or "
                    "recording.error(values) for a regression"
                    if labels.shape == whole
                    else "give one integer label per sample"
                    if len(places) == 1
                    else "give one integer label per sample and place"
                )
            )
        n_classes = 2 if each else self.n_classes
        known = labels.dtype.kind in "biuf"
        wrong = ~np.isin(labels, np.arange(n_classes)) if known else np.ones(labels.shape, bool)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"label {labels[index]!s} at index {index}, {self._told(n_samples)} takes "
                f"{'0 and 1' if n_classes == 2 else f'whole numbers from 0 to {n_classes - 1}'}: "
                "number the classes from 0, or use recording.error(values) for a regression"
            )
        return labels.astype(np.int64), each

    def _told(self, n_samples):
        return f"a {self.activation} read-out of shape {self.output_shape} for {n_samples} samples"

    def _label_shapes(self, whole, places):
        return map(str, (places, whole) if self.is_single or self.is_multi_label else (places,))

    def agreement(self, outputs, wanted):
        """How far outputs say the same as others, from 0 or less to 1.

        Where outputs tell classes, the share of equal decisions. Outputs that may be values (one
        without activation, or behind a tanh or softplus) have to be near: then it is 1 less the
        root mean square error in standard deviations of ``wanted``.

        Parameters
        ----------
        outputs, wanted : (n_samples, n_outputs) array

        Returns
        -------
        float
        """
        outputs, wanted = self._checked(outputs), self._checked(wanted)
        if self.activation in ("tanh", "softplus") or (
            self.is_single and self.activation == "linear"
        ):
            spread = float(_rms(wanted - wanted.mean(axis=0)))
            return 1 - float(_rms(outputs - wanted)) / max(spread, np.finfo(np.float32).tiny)
        return float((self.decide(outputs) == self.decide(wanted)).mean())

    def distance(self, outputs, wanted):
        """How far outputs are from others, for settings that are to be compared.

        Root mean square of their differences. Where the largest of several outputs wins, each
        sample's outputs are first brought to mean 0 and standard deviation 1: a common offset or
        scale changes no winner. Two outputs, which that would make equal, are left as they are.

        Parameters
        ----------
        outputs, wanted : (n_samples, n_outputs) array

        Returns
        -------
        float
        """
        outputs, wanted = self._checked(outputs), self._checked(wanted)
        if not self.is_single and self.activation in ("linear", "softmax") and self.n_outputs > 2:
            outputs, wanted = standardised(outputs), standardised(wanted)
        return float(_rms(outputs - wanted))

    def _checked(self, outputs):
        outputs = np.asarray(outputs)
        if outputs.shape[-1:] != (self.n_outputs,):
            raise DataError(
                f"outputs have shape {outputs.shape}, the network has {self.n_outputs} outputs: "
                f"give an array of shape (..., {self.n_outputs})"
            )
        return outputs if outputs.dtype.kind == "f" else outputs.astype(np.float32)

    def to_dict(self):
        """Plain values for JSON."""
        return {**vars(self), "shape": list(self.shape), "output_shape": list(self.output_shape)}

    @classmethod
    def from_dict(cls, values):
        """Inverse of `to_dict`."""
        return cls(**values)


def _rms(values):
    return np.sqrt(np.mean(np.square(values)))


def standardised(values):
    """Each row with mean 0 and standard deviation 1.

    Parameters
    ----------
    values : (n_samples, n_outputs) array

    Returns
    -------
    (n_samples, n_outputs) array
    """
    centred = values - values.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-12)
