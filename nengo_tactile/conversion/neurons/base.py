"""What all neurons share that a model can be converted to, and what they are put into."""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nengo_tactile.ann.layers import Layers
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.conversion.activation_scales import activation_scales
from nengo_tactile.conversion.changes import rounded, rounding_loss
from nengo_tactile.conversion.comparison import compare, compared_outputs
from nengo_tactile.conversion.input_range import range_of
from nengo_tactile.conversion.passes import layers_to_spike
from nengo_tactile.errors import ConversionError
from nengo_tactile.events.images import TactileImage
from nengo_tactile.networks.read_out import ReadOut
from nengo_tactile.options import Options, option

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork

#: Presentation time in steps where none is given, of neurons that answer with rates.
N_STEPS = 60


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """A model as neurons are put into it, and all that is asked of the network.

    Attributes
    ----------
    brought : tf.keras.Model, keras.Model or path
        What the user gave.
    read : nengo_tactile.ann.layers.Layers
        The same as layers alone.
    layers : nengo_tactile.ann.layers.Layers
        From `nengo_tactile.conversion.convert.prepare`: rectifiers, linear layers between.
    read_out : ReadOut
    x : (n_samples, ...) array or None
        Calibration samples.
    labels : array or None
        Of these.
    n_steps : int or None
    dt : float
    image : TactileImage or None
    classes : tuple of str
    seed : int
    progress : bool or None
    quantise : int or None
        Bits of the weights.
    known : dict
        What was measured on ``x`` before.
    """

    brought: Any
    read: Layers
    layers: Layers
    read_out: ReadOut
    x: np.ndarray | None = None
    labels: np.ndarray | None = None
    n_steps: int | None = None
    dt: float = 0.001
    image: TactileImage | None = None
    classes: tuple[str, ...] = ()
    seed: int = 0
    progress: bool | None = None
    quantise: int | None = None
    known: dict = dataclasses.field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Presentation time of neurons that answer with rates."""
        return N_STEPS if self.n_steps is None else self.n_steps

    def on(self, x: np.ndarray) -> "Blueprint":
        """The same with other calibration samples."""
        return dataclasses.replace(self, x=x, labels=None, known={})

    def remembered(self, key: Any, measure: Any) -> Any:
        """What ``measure()`` gives, which is asked once for a key."""
        if key not in self.known:
            self.known[key] = measure()
        return self.known[key]

    def rounded(self, layers: Layers) -> Layers:
        """The same weights in `quantise` bits, where they are wanted so."""
        return layers if self.quantise is None else rounded(layers, self.quantise)

    def with_rounded(self) -> "Blueprint":
        """The same of a model whose weights are rounded."""
        return dataclasses.replace(self, layers=self.rounded(self.layers), known={})

    def rounding(self, exact: Layers) -> dict:
        """What the rounding of a model's weights costs, as an entry of a card."""
        if self.quantise is None or self.x is None:
            return {}
        loss = rounding_loss(exact, self.quantise, self.x, self.labels, self.read_out)
        return {"weights": loss}

    def check(self, layers: Layers) -> None:
        """Refuse a form of the model, without spikes, whose outputs are not the user's."""
        model = self.brought, self.read
        wanted = self.remembered("outputs", lambda: compared_outputs(*model, self.x))
        compare(*model, layers, self.read_out, self.x, wanted)

    def network(self, layers: Layers, n_steps: int, **settings: Any) -> "SpikingNetwork":
        """The spiking network of a model with rates, or what was sent, for neurons."""
        # neurons are options too, which the command line reads without what runs networks
        from nengo_tactile.conversion.network import SpikingNetwork

        return SpikingNetwork(
            keras_model(layers),
            n_steps,
            dt=self.dt,
            image=self.image,
            classes=self.classes,
            input_range=None if self.x is None else range_of(self.x),
            read_out=self.read_out,
            **settings,
        )


class Neuron(Options):
    """A kind of neurons that a model can be converted to; its fields are its options.

    Attributes
    ----------
    name : str
        On the command line and in tables.
    layer : str
        Keras layer of these neurons, which a model can bring along.
    settled : tuple of str
        Options that such layers have settled already.
    sends_changes : bool
        Whether what is sent adds up to the activation, instead of coming at its rate.
    takes_loss : bool
        Whether `convert` can search the number of steps that loses as little as is wanted.
    """

    error: ClassVar[type] = ConversionError
    name: ClassVar[str]
    layer: ClassVar[str]
    settled: ClassVar[tuple]
    sends_changes: ClassVar[bool] = False
    takes_loss: ClassVar[bool] = False

    def network(self, blueprint: Blueprint) -> "SpikingNetwork":
        """Convert a model.

        Parameters
        ----------
        blueprint : Blueprint

        Returns
        -------
        SpikingNetwork
        """
        raise NotImplementedError

    @classmethod
    def is_in(cls, layers: Layers) -> bool:
        """Whether a model has layers of such neurons already."""
        return bool(layers.of_kinds(cls.layer))

    def check_settled(self, layers):
        """Refuse options that a model's own layers of neurons have settled.

        Raises
        ------
        ConversionError
            Naming the first one.
        """
        for name, value in self.changed().items():
            if name in self.settled:
                raise ConversionError(
                    f"model '{layers.name}' has {self.layer} layers, which settle {name}, and "
                    f"{name} is {value!r}: leave it out, or give the model with its ReLUs"
                )

    def samples(self, blueprint):
        """Calibration samples, which these neurons need.

        Raises
        ------
        ConversionError
            Without any.
        """
        if blueprint.x is None:
            raise ConversionError(
                f"neuron is {self}, which needs calibration samples: give a few hundred from the "
                "training set"
            )
        return blueprint.x


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Scaled(Neuron):
    """Neurons whose rates end: a percentile of each layer's activations decides where."""

    percentile: float = option(
        99.9,
        "percentile of each layer's activations that fires at the highest rate",
        above=0,
        most=100,
    )
    nonzero: bool = option(False, "percentile of the activations above zero alone")

    def scales(self, layers, x, channelwise=False):
        """The activation of each layer that becomes the highest rate, by name."""
        return activation_scales(
            layers,
            layers_to_spike(layers),
            x,
            self.percentile,
            channelwise=channelwise,
            nonzero=self.nonzero,
        )

    def rate_network(
        self, blueprint: Blueprint, layers: Layers, **settings: Any
    ) -> "SpikingNetwork":
        """The spiking network of a model with rates, on every engine."""
        network = blueprint.network(layers, blueprint.steps, **settings)
        if len(network.spiking_layers) > 1:
            return network
        # on the host, one spiking layer would leave nothing for the Loihi engine's chip
        return dataclasses.replace(network, on_host=())
