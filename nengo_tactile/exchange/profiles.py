"""What simulators make of a NIR graph, each in its own way; read from their code.

NIR's neurons are equations in continuous time with a reset to a value. What a step of a simulator
does (decays, what an input of one adds, reset, spikes a step) is not in the file.
"""

import dataclasses
import math

import numpy as np

from nengo_tactile.errors import ConversionError

_ALL = (
    *("Input", "Output", "Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d"),
    *("AvgPool2d", "Flatten", "Delay", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Threshold"),
)


@dataclasses.dataclass(frozen=True)
class Profile:
    """A simulator's habits.

    Attributes
    ----------
    name : str
    version : str
        Whose code they were read from.
    nodes : tuple of str
        Those that it reads.
    euler : bool
        Whether a decay in a step is ``dt / tau`` and not ``1 - exp(-dt / tau)``.
    dt : float or None
        Seconds of a step, where nothing else is said.
    fixed_dt : bool
        Whether time constants are read at that step alone, however long a step is.
    follows_r : bool
        Whether an IF neuron gains ``r dt`` of an input of one, or all of it whatever ``r`` is.
    unit_input : bool
        Whether a LIF neuron gains all of an input of one, whatever ``r`` and ``tau`` are.
    reset : {"zero", "subtract"}
    spikes_per_step : int
    floor : float
        Least potential of IF neurons, in thresholds.
    strict : bool
        Whether neurons fire above the threshold, and not at it.
    scalar : bool
        Whether all neurons of a node have one threshold.
    groups : bool
        Whether convolutions may have groups.
    """

    name: str
    version: str = "NIR 1.0.8"
    nodes: tuple[str, ...] = _ALL
    euler: bool = False
    dt: float | None = None
    fixed_dt: bool = False
    follows_r: bool = True
    unit_input: bool = False
    reset: str = "zero"
    spikes_per_step: int = 1
    floor: float = -math.inf
    strict: bool = True
    scalar: bool = False
    groups: bool = True

    def decay(self, tau: np.ndarray, dt: float) -> np.ndarray:
        """Share that is lost in a step with time constants in seconds."""
        with np.errstate(divide="ignore"):
            ratio = dt / np.asarray(tau, float)
        return ratio if self.euler else -np.expm1(-ratio)

    def tau(self, decay: float, dt: float) -> float:
        """Time constant in seconds that is read as this decay."""
        return dt / decay if self.euler else -dt / math.log1p(-decay)


#: Most spikes of a step, where a simulator has no limit.
MANY = 1 << 20

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("portable"),
        Profile(
            "sinabs",
            "sinabs 3.1.3",
            ("Input", "Output", "Affine", "Conv2d", "SumPool2d", "Flatten", "IF", "LI", "LIF"),
            dt=1.0,  # its time constants are in steps
            fixed_dt=True,
            follows_r=False,
            unit_input=True,
            reset="subtract",
            spikes_per_step=MANY,
            floor=-1.0,
            strict=False,
        ),
        Profile(
            "norse",
            "norse 1.1.0",
            (
                *("Input", "Output", "Affine", "Linear", "Conv2d", "SumPool2d", "Flatten"),
                *("IF", "LIF", "CubaLIF"),
            ),
            euler=True,
            dt=1e-3,
            follows_r=False,
        ),
        Profile(
            "snntorch",
            "snntorch 1.0.0",
            (
                *("Input", "Output", "Affine", "Linear", "Conv2d", "AvgPool2d", "Flatten"),
                *("IF", "LIF", "CubaLIF"),
            ),
            euler=True,
            dt=1e-4,
            fixed_dt=True,
            follows_r=False,
            scalar=True,
        ),
        Profile(
            "spikingjelly",
            "spikingjelly 2.0.0",
            (
                *("Input", "Output", "Affine", "Linear", "Conv1d", "Conv2d", "AvgPool2d"),
                *("Flatten", "IF", "LIF", "CubaLIF"),
            ),
            euler=True,
            dt=1e-4,
            strict=False,
            scalar=True,
            groups=False,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises
    ------
    ConversionError
        For another, with those that there are.
    """
    if name not in PROFILES:
        raise ConversionError(f"profile is {name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


__all__ = ["MANY", "PROFILES", "Profile", "profile_named"]
