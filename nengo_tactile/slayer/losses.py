"""Losses over the spikes of an output layer, as Keras losses.

Shrestha, Zhu and Sun 2022, "Spikemax: Spike-based Loss Methods for Classification"
(arXiv:2205.09845), and the spike count of SLAYER (Shrestha and Orchard 2018). They serve any Keras
model whose output is (n_samples, n_steps, n_classes) and not below zero: spikes of 0 and 1, or
graded ones. Labels are integers, (n_samples,) or (n_samples, 1). Time is in steps.

**Scale.** Each loss has one value a sample, and a gradient for each output at each step that is
the paper's equation to the letter. Keras then takes the mean over the batch, so that it divides
gradients by the number of samples; with ``reduction="sum"`` they stay what the equations say.

**Sequences of different lengths.** With a Keras mask, (n_samples, n_steps), each sample's value and
gradient are those of the steps that it lets through, and spikes at others are left out. Padding
belongs behind a sequence, or windows reach into it. Without a mask padding changes what is asked
for even if no spikes are in it: `SpikeRate` divides by all steps, `Spikemax` wants spikes in the
windows of the padding too, and `SpikemaxGlobal`'s gradient has ``T`` as a factor. Only the values
of `SpikemaxGlobal` and `SpikemaxSoftmax` stay. And most networks fire for a while after their input
has ended.
"""

import math
import numbers
from typing import Any

from nengo_tactile import stack
from nengo_tactile.errors import DataError
from nengo_tactile.slayer.outputs import arrange, weights_of_samples

tf = stack.tensorflow()
_registered = tf.keras.utils.register_keras_serializable("nengo_tactile")

#: The paper's "infinitesimal count", of each class: a fifth of a spike, so that a silent network is
#: evenly unsure, and a silent label neuron is asked for spikes six times as much as one that has
#: fired once. A count that is really infinitesimal would ask without bound, and such samples would
#: outweigh all others. Chosen on training samples of Ev-Objects, some of which were kept back.
EXTRA_COUNT = 0.2


def windowed_counts(spikes, window):
    """Spikes in the last ``window`` steps up to and with each step, fewer at the beginning.

    Parameters
    ----------
    spikes : tensor, (n_samples, n_steps, n_classes)
    window : int
        At most ``n_steps``.

    Returns
    -------
    tensor, (n_samples, n_steps, n_classes)
        Eq. 5, ``c_i(t)``.
    """
    sums = tf.cumsum(spikes, axis=1)
    return sums - tf.pad(sums[:, :-window], [[0, 0], [window, 0], [0, 0]])


def response(signal, tau_s):
    """``signal`` through the kernel ``eps(k) = k / tau_s exp(1 - k / tau_s)``, not cut off.

    Parameters
    ----------
    signal : tensor, (n_samples, n_steps, n_classes)
    tau_s : float
        Steps.

    Returns
    -------
    tensor, (n_samples, n_steps, n_classes)
        By Fourier transform, exact to rounding.
    """
    n_steps = tf.shape(signal)[1]
    k = tf.cast(tf.range(n_steps), signal.dtype) / tau_s
    size = [2 * n_steps]  # so that nothing comes around
    spectrum = tf.signal.rfft(tf.transpose(signal, [0, 2, 1]), size)
    answer = tf.signal.irfft(spectrum * tf.signal.rfft(k * tf.exp(1 - k), size), size)
    return tf.transpose(answer[..., :n_steps], [0, 2, 1])


class SpikeLoss(tf.keras.losses.Loss):
    """What losses over spikes share: they say what they are worth and their gradient.

    Parameters
    ----------
    **kwargs
        ``reduction`` and ``name``, as all Keras losses.
    """

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss of a batch, as Keras calls it."""
        mask = getattr(y_pred, "_keras_mask", None)
        # out of Keras's sight, which would multiply one loss a sample with a mask of steps
        weights = weights_of_samples(sample_weight, mask)
        return super().__call__(y_true, (y_pred, mask), weights)

    @tf.autograph.experimental.do_not_convert
    def call(self, y_true, y_pred):
        """Losses, (n_samples,), of labels and spikes, or of labels and (spikes, mask)."""
        spikes, mask = y_pred if isinstance(y_pred, tuple) else (y_pred, None)
        labels, spikes, valid = arrange(y_true, spikes, mask)
        n_classes = spikes.shape[2] or tf.shape(spikes)[2]
        target = tf.one_hot(labels, n_classes, dtype=spikes.dtype)

        @tf.custom_gradient
        def loss(spikes):
            value, gradient = self.value_and_gradient(target, spikes, valid)
            return value, lambda upstream: upstream[:, None, None] * gradient * valid

        known = (labels >= 0) & (labels < n_classes)
        return tf.where(known, loss(spikes), math.nan)

    def value_and_gradient(self, target, spikes, valid):
        """Value of each sample, and its gradient with respect to its spikes.

        Parameters
        ----------
        target : tensor, (n_samples, n_classes)
            One-hot.
        spikes : tensor, (n_samples, n_steps, n_classes)
            Zero where masked out.
        valid : tensor, (n_samples, n_steps, 1)
            One where masked in, else zero.

        Returns
        -------
        value : tensor, (n_samples,)
        gradient : tensor, (n_samples, n_steps or 1, n_classes)
            At masked steps it is not used.
        """
        raise NotImplementedError

    def refuse(self, problem):
        """Raise a DataError that names the loss."""
        raise DataError(f"{type(self).__name__}: {problem}")


@_registered
class SpikeRate(SpikeLoss):
    """Squared error of the spike rate, summed over the classes (eq. 4).

    The gradient is the exact derivative, ``2 / T (rate - target rate)`` at all steps.

    Parameters
    ----------
    true_rate, false_rate : float
        Spikes a step of the label's neuron and of the others, above 0 to 1. The paper has 0.2 and
        0.04 for N-MNIST, 0.35 and 0.07 for DVS Gesture, 0.2 and 0.02 for N-TIDIGITS18.
    **kwargs
        ``reduction`` and ``name``.

    Raises
    ------
    DataError
        If a rate is outside of that, or ``true_rate`` not above ``false_rate``.
    """

    def __init__(self, true_rate: float, false_rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, rate in (("true_rate", true_rate), ("false_rate", false_rate)):
            if not 0 < rate <= 1:
                self.refuse(f"{name} is {rate}: give spikes a step, above 0 to 1")
        if true_rate <= false_rate:
            self.refuse(f"true_rate {true_rate} is not above false_rate {false_rate}: raise it")
        self.true_rate, self.false_rate = float(true_rate), float(false_rate)

    def value_and_gradient(self, target: Any, spikes: Any, valid: Any) -> tuple[Any, Any]:
        """See `SpikeLoss`."""
        n_steps = _steps(valid)
        wanted = self.false_rate + (self.true_rate - self.false_rate) * target
        error = tf.reduce_sum(spikes, axis=1) / n_steps - wanted
        return tf.reduce_sum(error**2, axis=-1), (2 * error / n_steps)[:, None]

    def get_config(self) -> dict[str, Any]:
        """Arguments as plain values."""
        return super().get_config() | {"true_rate": self.true_rate, "false_rate": self.false_rate}


@_registered
class SpikemaxGlobal(SpikeLoss):
    """Negative log-likelihood of the label, whose probability is its share of all spikes (eq. 12).

    ``L = -log p_label``, ``p_i = c_i / sum_k c_k``, ``c_i`` the spikes of class ``i``. The gradient
    is eq. 12, ``(p_i - y_i) / (c_i / T)`` at all steps: ``T`` times the exact derivative.

    Parameters
    ----------
    extra_count : float
        Added to the spikes of each class, so that silent neurons give finite values: no component
        of the gradient exceeds ``T / extra_count``.
    **kwargs
        ``reduction`` and ``name``.

    Raises
    ------
    DataError
        If ``extra_count`` is not finite and above zero.
    """

    def __init__(self, extra_count: float = EXTRA_COUNT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < extra_count < math.inf:
            self.refuse(f"extra_count is {extra_count}: give a finite number above zero")
        self.extra_count = float(extra_count)

    def value_and_gradient(self, target: Any, spikes: Any, valid: Any) -> tuple[Any, Any]:
        """See `SpikeLoss`."""
        value, slope = self._surprise(target, tf.reduce_sum(spikes, axis=1))
        return value, (_steps(valid) * slope)[:, None]

    def _surprise(self, target, counts):
        """``-log p_label`` of counts (..., n_classes), and its derivative by them (eqs 6 to 10)."""
        counts += self.extra_count
        share = counts / tf.reduce_sum(counts, axis=-1, keepdims=True)
        return -tf.math.log(tf.reduce_sum(share * target, axis=-1)), (share - target) / counts

    def get_config(self) -> dict[str, Any]:
        """Arguments as plain values."""
        return super().get_config() | {"extra_count": self.extra_count}


@_registered
class Spikemax(SpikemaxGlobal):
    """`SpikemaxGlobal` in a sliding window, averaged over time (eqs 5 to 11).

    ``L = mean_t l(t)``, ``l(t) = -log p_label(t)``, where ``p_i(t)`` is the share of class ``i`` in
    the spikes of the last ``W`` steps, ``c_i(t)``. The gradient is eq. 11,

    ``(p_i(t) - y_i) / (c_i(t) / W)``, that is ``W`` times the derivative of ``l(t)`` by ``c_i(t)``.

    It hears only the window that ends with a spike, as if the ``W`` windows which hold it asked for
    the same. Where they do, it is ``T`` times the exact derivative, as is eq. 12; at the last step,
    which only one window holds, it is ``W T`` times. Elsewhere no factor makes them equal: the
    exact derivative is the mean of that derivative over the windows to come, times ``W / T``.

    Parameters
    ----------
    window : int
        ``W``, in steps. The paper has 30 for N-MNIST, 35 for DVS Gesture, 40 for N-TIDIGITS18.
    extra_count : float
        As in `SpikemaxGlobal`, for each window: no component of the gradient exceeds
        ``W / extra_count``.
    **kwargs
        ``reduction`` and ``name``.

    Raises
    ------
    DataError
        If ``window`` is not a whole number of at least 1, or longer than the sequences.
    """

    def __init__(self, window: int, extra_count: float = EXTRA_COUNT, **kwargs: Any) -> None:
        super().__init__(extra_count, **kwargs)
        if not _is_whole(window) or window < 1:
            self.refuse(f"window is {window!r}: give a whole number of steps, at least 1")
        self.window = int(window)

    def value_and_gradient(self, target: Any, spikes: Any, valid: Any) -> tuple[Any, Any]:
        """See `SpikeLoss`."""
        problem = f"window {self.window} is longer than the sequences: shorten it"
        n_steps = spikes.shape[1]
        if n_steps is None:
            fits = tf.debugging.assert_less_equal(self.window, tf.shape(spikes)[1], message=problem)
            # first of all, else an operation further on may fail before it, without a word
            with tf.control_dependencies([fits]):
                spikes = tf.identity(spikes)
        elif self.window > n_steps:
            self.refuse(f"{problem} to their {n_steps} steps or less")
        value, slope = self._surprise(target[:, None], windowed_counts(spikes, self.window))
        value = tf.reduce_sum(value * valid[..., 0], axis=1) / _steps(valid)[:, 0]
        return value, self.window * slope

    def get_config(self) -> dict[str, Any]:
        """Arguments as plain values."""
        return super().get_config() | {"window": self.window}


@_registered
class SpikemaxSoftmax(SpikeLoss):
    """Negative log-likelihood of the label, under a softmax of the spike counts (eqs 13 and 14).

    The gradient, ``p_i - y_i`` at all steps, is the exact derivative. It fades once the label is a
    few spikes ahead, so that networks trained with it fire little (the paper's Figures 3 and 7).
    Counts are not divided by the number of steps: softmax of rates could not come near certainty.

    Parameters
    ----------
    **kwargs
        ``reduction`` and ``name``.
    """

    def value_and_gradient(self, target: Any, spikes: Any, valid: Any) -> tuple[Any, Any]:
        """See `SpikeLoss`."""
        log_share = tf.nn.log_softmax(tf.reduce_sum(spikes, axis=1))
        value = -tf.reduce_sum(log_share * target, axis=-1)
        return value, (tf.exp(log_share) - target)[:, None]


@_registered
class SpikeCount(SpikeLoss):
    """SLAYER's loss of spike counts in a region of time (slayerPytorch, ``numSpikes``).

    ``L = 1/2 sum_i sum_t e_i(t)^2``. In the region ``e`` is the error of the count, spread evenly,
    ``(count - target count) / steps of the region``. Spikes outside of it should not be there: they
    add ``eps * s``, through the kernel ``eps(k) = k / tau_s exp(1 - k / tau_s)``, to ``e``.

    The gradient is ``sum_k eps(k) e(t + k)`` everywhere, so that the error of the count too reaches
    spikes through the kernel. Outside of the region that is the exact derivative with the counts
    held fixed. Inside, the exact derivative by way of the counts would be ``e(t)``; this is about
    ``2.7 tau_s`` (the sum of ``eps``) times as large, less towards the end of the region. Spikes at
    the last step get nothing, because ``eps(0)`` is zero.

    Parameters
    ----------
    true_count, false_count : float
        Spikes of the label's neuron and of the others in the region. slayerPytorch's example for
        N-MNIST has 60 and 10 in 300 steps.
    tau_s : float
        Time constant of ``eps`` in steps, as in the network.
    region : (int, int) or None
        First step, and step after the last. None is the whole sequence. Of a masked sequence, what
        the mask leaves of it.
    **kwargs
        ``reduction`` and ``name``.

    Raises
    ------
    DataError
        If counts are below zero or not apart, ``tau_s`` is not above zero, or the region is empty,
        outside of the sequences or has fewer steps than ``true_count``.
    """

    def __init__(
        self,
        true_count: float,
        false_count: float,
        tau_s: float,
        region: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= false_count < true_count < math.inf:
            self.refuse(
                f"true_count is {true_count} and false_count {false_count}: give counts of which "
                "the first is larger, and none below zero"
            )
        if not 0 < tau_s < math.inf:
            self.refuse(f"tau_s is {tau_s}: give a finite number of steps above zero")
        if region is not None and not _is_region(*region):
            self.refuse(f"region is {tuple(region)}: give its first step, and the one after it")
        self.true_count, self.false_count = float(true_count), float(false_count)
        self.tau_s = float(tau_s)
        self.region = None if region is None else (int(region[0]), int(region[1]))

    def value_and_gradient(self, target: Any, spikes: Any, valid: Any) -> tuple[Any, Any]:
        """See `SpikeLoss`."""
        start, stop = self._region(spikes.shape[1])
        step = tf.range(tf.shape(spikes)[1])
        inside = (step >= start) if stop is None else (step >= start) & (step < stop)
        inside = tf.cast(inside, spikes.dtype)[:, None] * valid
        wanted = self.false_count + (self.true_count - self.false_count) * target
        missing = (tf.reduce_sum(spikes * inside, axis=1) - wanted) / _steps(inside)
        error = missing[:, None] * inside + response(spikes * (1 - inside), self.tau_s) * valid
        value = tf.reduce_sum(error**2, axis=[1, 2]) / 2
        return value, tf.reverse(response(tf.reverse(error, [1]), self.tau_s), [1])

    def _region(self, n_steps):
        """Its first step and the one after it (None: the end), held against ``n_steps`` if known"""
        start, stop = self.region or (0, n_steps)
        if n_steps is not None and stop > n_steps:
            self.refuse(f"region {self.region} ends after the sequences' {n_steps} steps")
        if stop is not None and self.true_count > stop - start:
            self.refuse(
                f"true_count {self.true_count:g} is more than one spike at each of the region's "
                f"{stop - start} steps: lower it"
            )
        return start, stop

    def get_config(self) -> dict[str, Any]:
        """Arguments as plain values."""
        names = ("true_count", "false_count", "tau_s", "region")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _steps(valid):
    """Number of steps masked in, (n_samples, 1); one where there are none, to divide by."""
    return tf.maximum(tf.reduce_sum(valid, axis=1), 1.0)


def _is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_region(start, stop):
    return _is_whole(start) and _is_whole(stop) and 0 <= start < stop
