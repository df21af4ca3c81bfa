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
    flattens : bool
        Whether it reads Flatten as NIR has it, without an axis of samples.
    settings : dict of str to str
        What makes it do what a graph wants, where its own way differs: lines of Python for a
        ``model`` that it loaded, by `losses`.
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
    flattens: bool = True
    settings: dict[str, str] = dataclasses.field(default_factory=dict, hash=False)

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

#: Name -> how a simulator reads and runs NIR graphs.
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
            settings={
                "spikes": "for m in model.modules(): m.spike_fn = sinabs.activation.SingleSpike",
                "floor": "for m in model.modules(): m.min_v_mem = None",
                "start": "layer.v_mem.fill_(start) for each layer of neurons, before each sample",
            },
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
            flattens=False,
            settings={
                "reset": "norse.torch.from_nir(graph, dt=dt, "
                "reset_method=norse.torch.functional.reset.reset_subtract)",
                "start": "the state of each neuron's LIFBoxFeedForwardState(v=start)",
            },
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
            flattens=False,
            settings={
                "reset": "for each snn.Leaky m: m.reset_mechanism, m.state_function, m.mem_reset = "
                "'subtract', m._base_sub, torch.zeros_like",
                "start": "m.mem = start for each snn.Leaky, before each sample",
            },
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
            settings={
                "reset": "for m in model.modules(): m.v_reset = None (BaseNode)",
                "start": "functional.reset_net(model), then v = start in the state of each node",
            },
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
    if not isinstance(name, str) or name not in PROFILES:
        raise ConversionError(f"profile is {name!r}: choose one of {', '.join(PROFILES)}")
    return PROFILES[name]


__all__ = ["MANY", "PROFILES", "Profile", "profile_named"]
