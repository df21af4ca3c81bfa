"""Random Keras graphs of everything that users write, and what conversion makes of each.

A graph is right when it is accepted and computes what Keras computes, or refused with a word on
the layer that cannot be converted and the remedy. Some graphs get a layer that has no spiking form.
"""

import dataclasses
import math
import tempfile
import warnings
from pathlib import Path

import numpy as np

from nengo_tactile import run, stack
from nengo_tactile.conversion.check import check
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.network import SpikingNetwork
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.errors import ConversionError, ModelFileError

#: Difference from Keras that is rounding, in units of the largest output.
TOLERANCE = 1e-4
#: Steps in which both engines are compared, spike by spike.
N_STEPS = 24
#: Values of a sample beyond which a graph is not made larger.
LARGEST = 600


@dataclasses.dataclass
class Graph:
    """A random model, and what is known of it.

    Attributes
    ----------
    model : Keras model of Keras 2 or 3
    foreign : set of str
        Names of layers that cannot be converted.
    dyadic : bool
        Whether all its sums are exact for weights and inputs that are multiples of 1/8.
    """

    model: object
    foreign: set
    dyadic: bool = True


@dataclasses.dataclass
class Outcome:
    """What became of a graph.

    Attributes
    ----------
    verdict : str
        "right", "refused for a layer ..." or what is wrong.
    error : float or None
        Of the rates, in units of the largest output.
    text : str
        The refusal, or more on what is wrong.
    """

    verdict: str
    error: float | None = None
    text: str = ""
    dyadic: bool = False

    @property
    def ok(self):
        """Whether conversion did what it promises."""
        return self.verdict == "right" or self.verdict.startswith("refused for a layer")


class _Maker:
    """Grows a graph at random."""

    def __init__(self, seed, keras):
        self.rng, self.k, self.la = np.random.default_rng(seed), keras, keras.layers
        self.is_2 = keras.__name__ != "keras"
        self.foreign, self.dyadic, self.number = set(), True, 0

    def name(self, word):
        self.number += 1
        return f"{word}{self.number}"

    def of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, share):
        return self.rng.random() < share

    # -- layers ------------------------------------------------------------------------------

    def convolution(self, x):
        rank, channels = len(x.shape) - 2, x.shape[-1]
        size = [int(self.rng.integers(1, min(3, n) + 1)) for n in x.shape[1:-1]]
        kind = self.of("Conv", "Conv", "Depthwise", "Separable", "Transpose", "Dilated", "Grouped")
        options = {
            "padding": self.of("same", "valid"),
            "use_bias": self.chance(0.8),
            "activation": self.of(None, None, "relu", "relu", "relu6", "leaky_relu"),
        }
        self.dyadic &= options["activation"] != "leaky_relu"
        if kind == "Transpose":
            layer = getattr(self.la, f"Conv{rank}DTranspose")
            options["strides"] = int(self.of(1, 2))
            return layer(self.filters(), size, **options, name=self.name("up"))(x)
        if kind in ("Depthwise", "Separable"):
            options["strides"] = int(self.of(1, 2))
            options["depth_multiplier"] = int(self.of(1, 2))
            layer = getattr(self.la, f"{kind}Conv{rank}D")
            filters = [] if kind == "Depthwise" else [self.filters()]
            size = size[0] if rank == 1 else [min(size)] * 2
            return layer(*filters, size, **options, name=self.name(kind.lower()))(x)
        filters = self.filters()
        if kind == "Grouped" and channels % 2 == 0:
            options["groups"], filters = 2, 2 * filters
        if kind == "Dilated" and min(x.shape[1:-1]) > 4:
            options["dilation_rate"] = 2
        else:
            options["strides"] = [int(self.of(1, 1, 2)) for _ in range(rank)]
        if rank == 1 and self.chance(0.3):
            options["padding"] = "causal"
        return getattr(self.la, f"Conv{rank}D")(filters, size, **options, name=self.name("conv"))(x)

    def filters(self):
        return int(self.rng.integers(1, 4))

    def activation(self, x):
        slope, name = self.of(0.01, 0.125, 0.125, 0.3), self.name("act")
        word = self.of("relu", "ceiling", "leaky", "activation", "slope")
        self.dyadic &= word not in ("leaky", "slope") or slope == 0.125
        return {
            "relu": self.la.ReLU(name=name),
            "ceiling": self.la.ReLU(max_value=2.0, name=name),
            "leaky": self.la.LeakyReLU(slope, name=name),
            "activation": self.la.Activation("relu", name=name),
            "slope": self.la.ReLU(negative_slope=slope, name=name),
        }[word](x)

    def pooling(self, x):
        rank = len(x.shape) - 2
        if min(x.shape[1:-1]) < 2:
            return x
        word = self.of("Max", "Average")
        size, padding = (2, self.of("same", "valid")) if word == "Average" else (2, "same")
        layer = getattr(self.la, f"{word}Pooling{rank}D")
        return layer(size, self.of(1, 2), padding, name=self.name("pool"))(x)

    def places(self, x):
        rank = len(x.shape) - 2
        word = self.of("pad", "crop", "up", "permute")
        if word == "pad":
            return getattr(self.la, f"ZeroPadding{rank}D")(1, name=self.name("pad"))(x)
        if word == "crop" and min(x.shape[1:-1]) > 3:
            return getattr(self.la, f"Cropping{rank}D")(1, name=self.name("crop"))(x)
        if word == "up" and math.prod(x.shape[1:]) * 4 < LARGEST:
            options = {"interpolation": self.of("nearest", "bilinear")} if rank == 2 else {}
            return getattr(self.la, f"UpSampling{rank}D")(2, **options, name=self.name("up"))(x)
        if word == "permute":
            order = (2, 1, 3) if rank == 2 else (2, 1)
            return self.la.Permute(order, name=self.name("permute"))(x)
        return x

    def scaling(self, x):
        word = self.of("norm", "norm", "rescale", "operator", "dropout", "function")
        if word == "norm":
            return self.la.BatchNormalization(name=self.name("norm"))(x)
        if word == "rescale":
            return self.la.Rescaling(0.5, 0.25, name=self.name("rescale"))(x)
        if word == "dropout":
            return self.la.Dropout(0.5, name=self.name("drop"))(x)
        if word == "operator":
            return self.of(lambda t: t * 2 - 1, lambda t: 1 - t, lambda t: t / 4, lambda t: -t)(x)
        if self.is_2:
            tf = stack.tensorflow()
            return self.of(tf.nn.relu, tf.nn.relu6, lambda t: t[..., ::-1])(x)
        return self.of(self.k.ops.relu, self.k.ops.relu6, lambda t: t[..., ::-1])(x)

    def merging(self, x):
        rank = len(x.shape) - 2
        conv = getattr(self.la, f"Conv{rank}D")
        other = self.of(
            lambda t: conv(t.shape[-1], 3, padding="same", name=self.name("side"))(t),
            lambda t: self.activation(conv(t.shape[-1], 1, name=self.name("side"))(t)),
            lambda t: t,
        )(x)
        if self.chance(0.2):
            return x + other if self.chance(0.5) else x - other
        word = self.of("Add", "Subtract", "Average", "Concatenate")
        return getattr(self.la, word)(name=self.name(word.lower()))([x, other])

    def inside(self, x):
        """A model inside the model."""
        inputs = self.k.Input(tuple(x.shape[1:]))
        y = self.activation(self.convolution(inputs))
        block = self.k.Model(inputs, y, name=self.name("block"))
        return block(x, training=False) if self.chance(0.5) else block(x)

    def without_spikes(self, x):
        """A layer that has no spiking form."""
        word = self.of("own", "norm", "tanh", "training", "swish", "function")
        name = self.name("odd")
        self.foreign.add(name)
        if word == "own":
            kind = self.of("Conv2D", "Identity", "Mine")
            own = type(kind, (self.la.Layer,), {"call": lambda self, t: t * 3.0})
            return own(name=name)(x)
        if word == "norm":
            return self.la.LayerNormalization(name=name)(x)
        if word in ("tanh", "swish"):
            return self.la.Activation(word, name=name)(x)
        if word == "training" and self.is_2:
            return self.la.BatchNormalization(name=name)(x, training=True)
        if word == "function" and self.is_2:
            return stack.tensorflow().math.exp(x, name=name) * 0 + self.la.ELU(name=name)(x)
        return self.la.PReLU(name=name)(x)

    # -- the whole ---------------------------------------------------------------------------

    def build(self):
        image = self.chance(0.7)
        shape = [int(n) for n in self.rng.integers(5, 9, 2 if image else 1)]
        inputs = self.k.Input((*shape, int(self.rng.integers(1, 4))))
        x = self.convolution(inputs)
        steps = (
            *(self.convolution, self.convolution, self.activation, self.activation, self.pooling),
            *(self.places, self.scaling, self.scaling, self.merging, self.inside),
        )
        for _ in range(int(self.rng.integers(3, 10))):
            grown = self.of(*steps)(x)
            if math.prod(grown.shape[1:]) <= LARGEST:
                x = grown
        x = self.activation(self.convolution(x))
        if self.chance(0.15):
            x = self.without_spikes(x)
            x = self.activation(self.convolution(x))
        return Graph(self.finished(inputs, self.ended(x)), self.foreign, self.dyadic)

    def ended(self, x):
        """The end of the model: classes, values or a map."""
        end = self.of(None, None, "softmax", "sigmoid", "tanh")
        if self.chance(0.2):
            conv = getattr(self.la, f"Conv{len(x.shape) - 2}D")
            return conv(2, 1, activation=end, name=self.name("map"))(x)
        word = self.of("Flatten", "Flatten", "GlobalAveragePooling", "GlobalMaxPooling")
        if word == "Flatten":
            x = self.la.Flatten(name=self.name("flat"))(x)
        else:
            places = math.prod(x.shape[1:-1])
            self.dyadic &= word != "GlobalAveragePooling" or places & (places - 1) == 0
            x = getattr(self.la, f"{word}{len(x.shape) - 2}D")(name=self.name("pool"))(x)
        if self.chance(0.3):
            x = self.la.Dense(5, activation="relu", name=self.name("dense"))(x)
        return self.la.Dense(3, activation=end, name=self.name("out"))(x)

    def finished(self, inputs, outputs):
        """The model with random weights that keep values within some units."""
        model = self.k.Model(inputs, outputs, name="graph")
        for weight in model.weights:
            word = getattr(weight, "path", weight.name)
            n_in = max(1, math.prod(weight.shape[:-1]))
            values = self.rng.normal(0, 1.5 / math.sqrt(n_in), weight.shape)
            if "variance" in word:
                values = self.rng.uniform(0.5, 2, weight.shape)
            elif "gamma" in word:
                values = self.rng.uniform(0.5, 1.5, weight.shape) * self.of(1, 1, -1)
            elif len(weight.shape) == 1:
                values = self.rng.normal(0.2, 0.3, weight.shape)
            weight.assign(values.astype(np.float32))
        return model


def random_graph(seed, keras):
    """A random model of Keras 2 or 3.

    Parameters
    ----------
    seed : int
    keras : module
        ``tf.keras`` or ``keras``.

    Returns
    -------
    Graph
    """
    return _Maker(seed, keras).build()


def judged(graph, seed, as_file=False):
    """Convert a graph, as an object or from a .keras file, and say whether all is right.

    Parameters
    ----------
    graph : Graph
    seed : int
        Of the samples.
    as_file : bool

    Returns
    -------
    Outcome
    """
    rng = np.random.default_rng(seed)
    shape = tuple(graph.model.inputs[0].shape[1:])
    x = (rng.integers(-12, 13, (12, *shape)) / 8).astype(np.float32)
    wanted = np.asarray(graph.model(x, training=False))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        brought = graph.model
        if as_file:
            brought = Path(folder) / "graph.keras"
            try:
                graph.model.save(brought)
            except Exception:  # Keras cannot write functions with slices
                brought = graph.model
        try:
            network = convert(brought, x, IF(percentile=100, discard=0.0), n_steps=N_STEPS)
        except (ConversionError, ModelFileError) as error:
            return _refusal(graph, brought, str(error))
    if graph.foreign:
        return Outcome("accepted with a layer that has no spiking form", text=str(graph.foreign))
    got = network.read_out.apply(np.asarray(network.ann(x)).reshape(len(x), -1))
    error = float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-9))
    if got.shape != wanted.shape or not error <= TOLERANCE:
        return Outcome("accepted, wrong", error)
    different = _engines_differ(network, graph.dyadic, rng)
    return Outcome(different or "right", error, dyadic=graph.dyadic)


def _refusal(graph, brought, text):
    """Whether a refusal names a layer and a remedy, and was right."""
    lines = text.splitlines()
    named = all("'" in line and ("; " in line or ": " in line) for line in lines)
    if not named:
        return Outcome("refused without layer or remedy", text=text)
    if graph.foreign and not any(f"'{name}'" in text for name in graph.foreign):
        return Outcome("refused, but not for the layer without spikes", text=text)
    if not graph.foreign and "never active" not in text:
        return Outcome("refused without a reason", text=text)
    if graph.foreign and check(brought).ok:
        return Outcome("refused, but check says that it can be converted", text=text)
    planted = "a layer without spikes" if graph.foreign else "a layer that never fires"
    return Outcome(f"refused for {planted}", text=text)


def _engines_differ(network, dyadic, rng):
    """How NengoDL and the event engine differ, on weights whose sums are exact; or nothing."""
    ann = network.ann
    for layer in ann.layers:
        if type(layer).__name__ != "RateIF":
            layer.set_weights(
                [
                    rng.integers(-4, 5, w.shape) / 8 * (rng.random(w.shape) < 2 / 3)
                    for w in layer.get_weights()
                ]
            )
    network = SpikingNetwork(ann, synapse=None, discard=0.0, n_steps=N_STEPS)
    x = (rng.integers(-12, 13, (3, *network.input_shape)) / 8).astype(np.float32)
    one, other = (
        run(network, x, engine=engine, progress=False) for engine in ("nengo-dl", "event")
    )
    spikes = sum(int(counts.sum()) for counts in one.spike_counts.values())
    parted = sum(
        int(np.abs(one.spike_counts[name] - other.spike_counts[name]).sum())
        for name in one.spike_counts
    )
    if parted > (0 if dyadic else 0.02 * spikes + 4):
        return f"engines differ in {parted} of {spikes} spikes"
    if dyadic and not np.allclose(one.outputs, other.outputs, atol=1e-5):
        return "engines differ in their outputs"
    return ""
