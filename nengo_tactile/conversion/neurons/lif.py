"""LIF neurons, for every engine."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nengo_tactile.ann.lif import LIFParameters, parameters_for
from nengo_tactile.conversion.neurons.base import Scaled
from nengo_tactile.conversion.passes import use_lif, with_smoothing
from nengo_tactile.conversion.tuning import tune
from nengo_tactile.options import documented, option

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons.base import Blueprint

#: Firing rate in hertz at the percentile, and time constant of the synapse in seconds, before
#: tuning; factors and time constants that are tried.
START_RATE, START_SYNAPSE = 500.0, 0.005
RATES, SYNAPSES = (0.5, 1.0), (0.002, 0.005)


@documented
@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class LIF(Scaled):
    """Leaky integrate-and-fire neurons (Hunsberger and Eliasmith, arXiv:1611.05141).

    As they are, slow and with a constant current of a half, their rate is almost that of a ReLU,
    so that no training is needed: far above the threshold a LIF neuron fires at
    ``(current - 1/2) / tau_rc`` (the expansion of ``1 / log(1 + 1 / (current - 1))``). With Nengo's
    time constants, ``LIF(tau_rc=0.02, tau_ref=0.002, offset=0)``, the rate is far from a ReLU's:
    train on with it (`nengo_tactile.conversion.lif_training`).
    """

    max_rate: float | None = option(
        None,
        "firing rate in hertz at the percentile, by default tuned (a model's own LIF layers are "
        "taken at their rates if any is given)",
        above=0,
    )
    synapse: float | Literal["tune"] | None = option(
        "tune", "low-pass time constant in seconds behind every spiking layer", least=0
    )
    discard: float = option(
        0.5,
        "share of the steps so far that the read-out leaves out, because deep layers have not "
        "settled",
        least=0,
        below=1,
    )
    tau_rc: float = option(0.1, "membrane time constant in seconds", above=0)
    tau_ref: float = option(0.0, "refractory time in seconds", least=0)
    offset: float = option(0.5, "constant current, in thresholds", most=1)

    name: ClassVar[str] = "lif"
    layer: ClassVar[str] = "RateLIF"
    settled: ClassVar[tuple] = ("percentile", "nonzero", "tau_rc", "tau_ref", "offset")

    def parameters(self, activation: Any) -> LIFParameters:
        """Parameters of a layer whose ReLU had ``activation`` at the percentile.

        Returns
        -------
        LIFParameters
        """
        rate = START_RATE if self.max_rate is None else self.max_rate
        return parameters_for(activation, rate, self.tau_rc, self.tau_ref, self.offset)

    def network(self, blueprint: "Blueprint") -> "SpikingNetwork":
        """Convert a model: see `Neuron.network`."""
        x, card = self.samples(blueprint), blueprint.rounding(blueprint.layers)
        blueprint = blueprint.with_rounded()
        synapse = START_SYNAPSE if self.synapse == "tune" else self.synapse
        layers = self._placed(blueprint.layers, x)
        settings = {"synapse": synapse, "discard": self.discard, "card": card}
        network = self.rate_network(blueprint, layers, **settings)
        if self.max_rate is None or self.synapse == "tune":
            network, _ = tune(
                network,
                x,
                rates=RATES if self.max_rate is None else (1.0,),
                synapses=SYNAPSES if self.synapse == "tune" else (self.synapse,),
                progress=blueprint.progress,
            )
        return network

    def _placed(self, layers, x):
        """The model with LIF rates."""
        if self.is_in(layers):
            return with_smoothing(layers, 0.0)  # it was for training
        tops = self.scales(layers, x)
        return use_lif(layers, {name: self.parameters(top) for name, top in tops.items()})
