"""What stands in for the derivative of a spike with respect to the potential.

Spikemax paper, Figure 1 (a). All are even functions of the distance to the threshold, whose width
is given in thresholds, as slayerPytorch does (``slayer.py``, tauRho), so that it means the same
for every threshold.
"""

import dataclasses
import math
from typing import Any

from nengo_tactile.errors import ConversionError

KINDS = ("exponential", "linear", "half-sigmoid")


@dataclasses.dataclass(frozen=True)
class Surrogate:
    """A derivative ``rho(u)``, with ``x = |u - threshold| / (width * threshold)``.

    - "exponential": ``scale / (width threshold) exp(-x)``, the spike escape rate of SLAYER
      (Shrestha and Orchard 2018, section 3.2); its integral is ``2 scale``.
    - "linear": ``scale / (width threshold) max(0, 1 - x)``, with finite support;
      integral ``scale``.
    - "half-sigmoid": ``scale / (width threshold) / (1 + x)**2``, the derivative of a fast sigmoid
      (Zenke and Ganguli 2018, section 3.3.2); integral ``2 scale``.

    Parameters
    ----------
    kind : {"exponential", "linear", "half-sigmoid"}
    width : float
        In thresholds.
    scale : float

    Raises
    ------
    ConversionError
        If the kind is unknown, or a number not finite and above zero.
    """

    kind: str = "exponential"
    width: float = 1.0
    scale: float = 1.0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ConversionError(f"surrogate {self.kind!r} is unknown: choose one of {KINDS}")
        for name in ("width", "scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConversionError(
                    f"surrogate: {name} is {value}: give a finite number above zero"
                )

    def derivative(self, potential: Any, threshold: float) -> Any:
        """Derivative at each potential.

        Parameters
        ----------
        potential : tensor
        threshold : float

        Returns
        -------
        tensor
            Of the potential's shape.
        """
        from nengo_tactile import stack

        tf = stack.tensorflow()
        x = tf.abs(potential - threshold) / (self.width * threshold)
        height = self.scale / (self.width * threshold)
        if self.kind == "exponential":
            return height * tf.exp(-x)
        if self.kind == "linear":
            return height * tf.nn.relu(1 - x)
        return height / tf.square(1 + x)
