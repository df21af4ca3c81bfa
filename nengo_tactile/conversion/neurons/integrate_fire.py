"""Integrate-and-fire neurons, for deep networks."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nengo_tactile.ann.layers import Layers
from nengo_tactile.conversion.compensation import search_compensation
from nengo_tactile.conversion.correction import correct
from nengo_tactile.conversion.learned import learn
from nengo_tactile.conversion.neurons.base import Scaled
from nengo_tactile.conversion.passes import use_rectifiers
from nengo_tactile.conversion.step_scales import activations, ceilings, placed, step_scales
from nengo_tactile.conversion.trial_run import settled_discard
from nengo_tactile.errors import ConversionError
from nengo_tactile.options import documented, option

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons.base import Blueprint


@dataclasses.dataclass(frozen=True)
class Draft:
    """A model with integrate-and-fire rates.

    Attributes
    ----------
    layers : nengo_tactile.ann.layers.Layers
    activations : dict of str to Activations
        By layer, what the highest rates were chosen on for a number of steps.
    scales : dict of str to float or (channels,) array
        What they are in the model.
    exact : Layers
        The same before weights were rounded and anything was corrected.
    """

    layers: Layers
    activations: dict
    scales: dict | None
    exact: Layers


#: Calibration samples, at equal distances, that compensation factors are tried on at most: each
#: factor is a simulation of all of them.
COMPENSATION_SAMPLES = 128


@documented
@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class IF(Scaled):
    """Integrate-and-fire neurons, which fire at most once a step, at ``1 / dt``.

    Weights are normalised to that rate (Spiking ResNet paper, sections 3.1 and 3.2). For deep
    networks, and all rectifiers: ReLU, with a ceiling, with levels, and leaky. For few steps,
    ``IF(signed=True, thresholds="steps", channelwise=True)``, with more ``spikes_per_step`` where
    the hardware has graded spikes (Loihi 1 and its emulator take neither).
    """

    signed: bool = option(
        False, "spikes that came too early are taken back, by negative ones: for few time steps"
    )
    spikes_per_step: int = option(
        1, "most spikes of a step, which leave as one that is worth so many", least=1, most=127
    )
    thresholds: Literal["percentile", "steps"] = option(
        "percentile",
        "what becomes the highest rate: a percentile of the activations, or what has the least "
        "squared error, clipped and rounded, after the network's number of steps",
    )
    coarseness: float = option(
        0.0,
        "share that thresholds for the steps, taken as large, may add to their least squared "
        "error: fewer spikes, whose means a correction brings back",
        least=0,
    )
    channelwise: bool = option(False, "a percentile, or threshold, for each channel of a layer")
    shortcut_normalisation: bool = option(
        True, "scale shortcuts like the weights; without, to see what it is good for (SNN-alpha)"
    )
    start: float = option(0.5, "membrane potential at the start, in thresholds", below=1)
    reset: Literal["subtract", "zero"] = option(
        "subtract", "what a spike does to the membrane potential"
    )
    correction: Literal["bias", "potential", "steps", "learned"] | None = option(
        None,
        "make up for the neurons' mean error after the steps on the calibration samples, by "
        "constant currents, by membrane potentials at the start, or by currents at each step; or, "
        "after 'bias', learn currents and thresholds that bring the outputs near to the model's",
    )
    compensation: Literal["network", "layer"] | None = option(
        None, "search the factor on the weights that makes up for late spikes, one for all or each"
    )
    discard: float | Literal["tune"] = option(
        0.0,
        "share of the steps so far that the read-out leaves out, because deep layers have not "
        "settled; 'tune' chooses it on the calibration samples (0.5 is better for deep networks of "
        "few steps and harms shallow ones)",
        least=0,
        below=1,
    )

    name: ClassVar[str] = "if"
    takes_loss: ClassVar[bool] = True
    layer: ClassVar[str] = "RateIF"
    settled: ClassVar[tuple] = (
        *("percentile", "nonzero", "channelwise", "shortcut_normalisation", "start", "reset"),
        *("signed", "spikes_per_step", "thresholds", "coarseness"),
    )

    def __post_init__(self):
        super().__post_init__()
        graded = self.signed or self.spikes_per_step > 1
        apart = {"reset": "zero", "compensation": self.compensation} if graded else {}
        if self.thresholds == "steps":
            apart |= {name: getattr(self, name) for name in ("percentile", "nonzero")}
        for name, value in self.changed().items():
            if value is not None and apart.get(name) == value:
                raise ConversionError(
                    f"neuron is {self}: {name} goes neither with neurons that are signed or send "
                    "several spikes a step, nor, if it is about percentiles, with "
                    "thresholds='steps'; leave one out"
                )

        if self.coarseness and (self.thresholds != "steps" or self.correction is None):
            raise ConversionError(
                f"neuron is {self}: coarseness is of thresholds='steps' with a correction; give "
                "both, or leave it out"
            )

    def network(self, blueprint: "Blueprint") -> "SpikingNetwork":
        """Convert a model: see `Neuron.network`.

        Warns
        -----
        ConversionWarning
            For a ``discard`` that harms on the calibration samples, and where ``correction`` or
            ``compensation`` leads to outputs of more than twice the size.
        """
        x, n_steps = self.samples(blueprint), blueprint.steps
        draft = self.draft(blueprint)
        corrected = self.correction is not None or self.compensation is not None
        discard = settled_discard(
            *(draft.layers, blueprint.read_out, x, n_steps, self.discard, corrected)
        )
        return self.finished(blueprint, draft, discard)

    def draft(self, blueprint: "Blueprint") -> Draft:
        """The model with these neurons, all but its read-out settled."""
        x, n_steps = self.samples(blueprint), blueprint.steps
        exact, found, scales = self._placed(blueprint, x, n_steps)
        layers = self._corrected(blueprint.rounded(exact), blueprint, x, n_steps, scales)
        if self.correction == "learned":
            wanted, apart = blueprint.layers.outputs(x), self.channelwise
            options = apart, blueprint.seed, blueprint.progress
            layers, changes = learn(layers, found, wanted, x, n_steps, *options)
            found = {name: one.over(changes[name]) for name, one in found.items()}
            scales = scales and {name: scale * changes[name] for name, scale in scales.items()}
            layers = blueprint.rounded(layers)  # other thresholds are in the weights
        return Draft(layers, found, scales, exact)

    def finished(
        self, blueprint: "Blueprint", draft: Draft, discard: float, **settings: Any
    ) -> "SpikingNetwork":
        """The spiking network of a draft, with the share of steps that its read-out leaves out."""
        loss = blueprint.rounding(use_rectifiers(draft.exact))
        settings["card"] = {**settings.get("card", {}), **loss}
        settings |= {"synapse": None, "discard": discard, "activations": draft.activations}
        return self.rate_network(blueprint, draft.layers, **settings)

    def _placed(self, blueprint, x, n_steps):
        """The model with integrate-and-fire rates, what they were chosen on, and their scales."""
        if self.is_in(blueprint.layers):
            return blueprint.layers, {}, None
        layers, found, most = blueprint.layers, {}, self.spikes_per_step
        if self.thresholds == "steps":
            key = "activations", self.channelwise
            found = blueprint.remembered(key, lambda: activations(layers, x, self.channelwise))
            scales = {**ceilings(layers), **step_scales(found, most * n_steps, self.coarseness)}
            found = {name: one.over(scales[name]) for name, one in found.items()}
        else:
            scales = self.scales(layers, x, self.channelwise)
        settings = {"start": self.start, "reset": self.reset, "signed": self.signed}
        settings |= {"spikes_per_step": most, "gain": float(most), "amplitude": 1 / most}
        # without its scales a shortcut computes another function, as is wanted
        check = blueprint.check if self.shortcut_normalisation else lambda layers: None
        settings["shortcut_normalisation"] = self.shortcut_normalisation
        return placed(layers, scales, found, check, **settings), found, scales

    def _corrected(self, layers, blueprint, x, n_steps, scales):
        """The model with what the steps lack made up for, as far as wanted."""
        if self.correction is not None:
            reference = {}
            if self.thresholds == "steps":
                # what highest rates clip is among what is made up for, where they are low
                reference = {"reference": blueprint.layers, "units": scales}
            reference["progress"] = blueprint.progress
            by = "bias" if self.correction == "learned" else self.correction
            layers = correct(layers, x, n_steps, by, **reference)
        if self.compensation is not None:
            layers, _ = search_compensation(
                layers,
                x[:: -(-len(x) // COMPENSATION_SAMPLES)],
                n_steps,
                per_layer=self.compensation == "layer",
                read_out=blueprint.read_out,
                progress=blueprint.progress,
            )
        return layers
