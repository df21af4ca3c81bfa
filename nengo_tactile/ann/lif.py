"""The rate of a leaky integrate-and-fire (LIF) neuron as a Keras layer.

Hunsberger and Eliasmith (arXiv:1611.05141, eq. 1-5), the reference [20] of the ST-MNIST
paper: a network is trained with the static response of LIF neurons, smoothed near the
threshold (soft LIF), and gets spiking neurons afterwards.
"""

import dataclasses
import functools
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class LIFParameters:
    """A layer of LIF neurons with input ``x`` and output ``amplitude * firing rate``.

    Attributes
    ----------
    gain : float
        The membrane receives the current ``gain * x + offset`` and fires above 1.
    amplitude : float
        Output per hertz, so that output and input have the same unit.
    tau_rc : float
        Membrane time constant in seconds (Nengo's default 0.02).
    tau_ref : float
        Refractory time in seconds (Nengo's default 0.002).
    offset : float
        Constant current. 0.5 makes a slow membrane nearly linear (see `nengo_tactile.LIF`).
    """

    gain: float
    amplitude: float
    tau_rc: float = 0.02
    tau_ref: float = 0.002
    offset: float = 0.0

    def __post_init__(self):
        for name in ("gain", "amplitude", "tau_rc"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConversionError(f"LIF {name} is {value}: it must be finite and above zero")
        if not (math.isfinite(self.tau_ref) and self.tau_ref >= 0):
            raise ConversionError(f"LIF tau_ref is {self.tau_ref}: it must be zero or more")
        if not (math.isfinite(self.offset) and self.offset <= 1):
            raise ConversionError(
                f"LIF offset is {self.offset}: it must be finite and at most 1, or the neuron "
                "fires without input"
            )

    def rates(self, x):
        """Firing rates in hertz for inputs ``x`` (any shape), the closed form."""
        excess = np.asarray(x, np.float64) * self.gain + (self.offset - 1)
        rates = np.zeros_like(excess)
        firing = excess > 0
        rates[firing] = 1 / (self.tau_ref + self.tau_rc * np.log1p(1 / excess[firing]))
        return rates

    def faster(self, factor):
        """The same function of ``x`` at ``factor`` times the firing rates.

        A LIF neuron whose time constants shrink by a factor fires that factor faster at
        every current; with the amplitude divided by it nothing else changes. Weights and
        biases stay as they are (unlike ``scale_firing_rates``, which skews a LIF neuron).
        """
        return dataclasses.replace(
            self,
            amplitude=self.amplitude / factor,
            tau_rc=self.tau_rc / factor,
            tau_ref=self.tau_ref / factor,
        )


def current_for_rate(rate, tau_rc=0.02, tau_ref=0.002):
    """Constant current at which a LIF neuron fires at ``rate`` hertz (inverse of its rate).

    Raises
    ------
    ConversionError
        If the refractory time does not allow that rate.
    """
    if not 0 < rate < (1 / tau_ref if tau_ref else math.inf):
        raise ConversionError(
            f"a LIF neuron with tau_ref {tau_ref} s cannot fire at {rate} Hz: choose a rate "
            f"between 0 and {1 / tau_ref if tau_ref else math.inf:.0f} Hz"
        )
    return 1 / -math.expm1((tau_ref - 1 / rate) / tau_rc)


def parameters_for(activation, max_rate, tau_rc=0.02, tau_ref=0.002, offset=0.0):
    """LIF parameters that fire at ``max_rate`` hertz where the ReLU had ``activation``.

    Parameters
    ----------
    activation : float
        A high percentile of the layer's activations on calibration samples.
    max_rate : float
        Firing rate in hertz there.
    tau_rc, tau_ref, offset : float
        See `LIFParameters`.

    Returns
    -------
    LIFParameters
        The layer's output at ``activation`` is ``activation`` again.
    """
    if not (math.isfinite(activation) and activation > 0):
        raise ConversionError(
            f"the layer's activations reach {activation} on the calibration samples: its scale "
            "must be finite and above zero; give calibration samples that excite the layer"
        )
    gain = (current_for_rate(max_rate, tau_rc, tau_ref) - offset) / activation
    return LIFParameters(gain, activation / max_rate, tau_rc, tau_ref, offset)


@functools.cache
def rate_lif_layer():
    """The Keras layer class (made on first use, because TensorFlow is slow to load)."""
    tf = stack.tensorflow()

    def log1p_of_inverse(value, log_value):
        """``log(1 + 1 / value)``, and a gradient without the ``1 / value**2`` that overflows."""
        small = tf.math.log1p(tf.minimum(value, 1.0)) - log_value
        return tf.where(value > 1, tf.math.log1p(1 / tf.maximum(value, 1.0)), small)

    @tf.keras.utils.register_keras_serializable("nengo_tactile")
    class RateLIF(tf.keras.layers.Layer):
        """Static response of LIF neurons, ``amplitude * rate(gain * x)``.

        Parameters
        ----------
        gain, amplitude, tau_rc, tau_ref, offset : float
            See `LIFParameters`.
        sigma : float
            Width of the smoothing near the threshold (soft LIF, eq. 5); 0 gives the exact
            rate, whose slope is infinite at the threshold.
        """

        def __init__(
            self, gain, amplitude, tau_rc=0.02, tau_ref=0.002, offset=0.0, sigma=0.0, **kwargs
        ):
            super().__init__(**kwargs)
            self.parameters = LIFParameters(gain, amplitude, tau_rc, tau_ref, offset)
            self.sigma = sigma

        def call(self, x):
            lif = self.parameters
            excess = lif.gain * x + (lif.offset - 1)
            if self.sigma:
                scaled = excess / self.sigma
                softened = tf.nn.softplus(scaled)
                # far below the threshold softplus(z) is exp(z), which underflows
                log_soft = tf.where(
                    scaled > -15, tf.math.log(tf.maximum(softened, 1e-7)), scaled
                ) + math.log(self.sigma)
                interval = log1p_of_inverse(self.sigma * softened, log_soft)
                return lif.amplitude / (lif.tau_ref + lif.tau_rc * interval)
            safe = tf.where(excess > 0, excess, 1.0)
            interval = log1p_of_inverse(safe, tf.math.log(safe))
            rate = 1 / (lif.tau_ref + lif.tau_rc * interval)
            return tf.where(excess > 0, lif.amplitude * rate, 0.0)

        def get_config(self):
            return {
                **super().get_config(),
                **dataclasses.asdict(self.parameters),
                "sigma": self.sigma,
            }

    return RateLIF
