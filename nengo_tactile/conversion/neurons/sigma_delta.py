"""Sigma-delta neurons, which send changes."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from nengo_tactile.conversion.accumulate import Accumulator
from nengo_tactile.conversion.neurons.base import Neuron
from nengo_tactile.conversion.sigma_delta import use_sigma_delta
from nengo_tactile.conversion.thresholds import percentile_thresholds, search_thresholds
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.coding import CurrentCoding, DelayCoding, named_coding
from nengo_tactile.options import documented, option

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons.base import Blueprint

#: Points that are lost at most when nothing else is asked for.
MAX_LOSS = 1.0
#: Steps to come to rest in, where no calibration samples are given.
SETTLING_STEPS = 28
#: Each of them decides the thresholds.
_WISHES = ("threshold", "threshold_factor", "max_loss", "spike_budget")


@documented
@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class SigmaDelta(Neuron):
    """Neurons that send changes of their quantised activation, as spikes of both signs.

    A sample comes once, over time, and the network comes to rest (Yousefzadeh et al., "Conversion
    of Synchronous Artificial Neural Network to Asynchronous Spiking Neural Network using
    sigma-delta quantization"). Give one of the first four options; without any of them
    ``max_loss`` is 1.
    """

    threshold: float | dict | None = option(
        None,
        "step of the quantisation and worth of a spike: one for all layers, or {layer: number}",
        above=0,
    )
    threshold_factor: float | None = option(
        None, "thresholds as a share of each layer's 99.9th percentile of activation", above=0
    )
    max_loss: float | None = option(
        None,
        "the coarsest thresholds, in proportion to these percentiles, that lose at most so many "
        "points of accuracy on the calibration samples (without labels: that give at most so many "
        "points of them another winner than the Keras model)",
    )
    spike_budget: float | None = option(
        None,
        "the finest such thresholds of at most so many spikes per neuron and sample",
        above=0,
    )
    output_threshold: float | None = option(
        None, "lets the outputs spike too, instead of a read-out by their potential", above=0
    )
    coding: Literal["delay", "current"] | DelayCoding | CurrentCoding = option(
        "delay",
        "how a sample arrives over time: by 'delay', one spike per pixel brighter than a fifth of "
        "1 (of 255 for bytes), or as a 'current'",
    )

    name: ClassVar[str] = "sigma-delta"
    layer: ClassVar[str] = "SigmaDelta"
    settled: ClassVar[tuple] = (*_WISHES, "output_threshold")
    sends_changes: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        given = [name for name in _WISHES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConversionError(
                f"{' and '.join(given)} are given: each of them decides the thresholds, choose one"
            )

    def network(self, blueprint: "Blueprint") -> "SpikingNetwork":
        """Convert a model: see `Neuron.network`. Only a given ``threshold`` needs no samples.

        By default a sample is shown until nothing fires on the calibration samples.
        """
        coding = named_coding(self.coding, "float32" if blueprint.x is None else blueprint.x.dtype)
        card, blueprint = blueprint.rounding(blueprint.layers), blueprint.with_rounded()
        layers = blueprint.layers
        if not self.is_in(layers):
            thresholds = self._thresholds(blueprint, coding)
            layers = use_sigma_delta(layers, thresholds, self.output_threshold)
        n_steps = blueprint.n_steps
        if n_steps is None:
            n_steps = _steps_to_rest(layers, blueprint.x, coding)
        return blueprint.network(layers, n_steps, synapse=None, coding=coding, card=card)

    def _thresholds(self, blueprint, coding):
        """A number for all layers, or {layer name: number}."""
        if self.threshold is not None:
            return self.threshold
        layers, x = blueprint.layers, self.samples(blueprint)
        if self.threshold_factor is not None:
            return percentile_thresholds(layers, coding.total(x), self.threshold_factor)
        max_loss = self.max_loss
        if max_loss is None and self.spike_budget is None:
            max_loss = MAX_LOSS
        thresholds, _ = search_thresholds(
            layers,
            x,
            coding,
            max_loss,
            self.spike_budget,
            blueprint.labels,
            read_out=blueprint.read_out,
            progress=blueprint.progress,
        )
        return thresholds


def _steps_to_rest(layers, x, coding):
    if x is None:
        return coding.n_steps + SETTLING_STEPS
    return Accumulator(layers).rest(x, coding).n_steps
