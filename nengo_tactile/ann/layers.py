"""A model as plain data: layers by name, what each reads, its settings and its weights.

Keras models are slow to build and cannot be edited. What conversion does to a model it does to
this form, from which a Keras model is made at the end (`nengo_tactile.ann.portable.keras_model`).
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.description import Names
from nengo_tactile.ann.settings import made, settings_of
from nengo_tactile.errors import ConversionError
from nengo_tactile.lazy import cached_property

#: Layers whose output has the shape of what they read, which Keras finds out by running some.
_SAME_SHAPE = (
    *("Activation", "ReLU", "LeakyReLU", "Softmax", "BatchNormalization", "Rescaling", "Identity"),
    *("Normalization", "RateLIF", "RateIF", "ClipFloor", "SigmaDelta"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a model.

    Attributes
    ----------
    name : str
        No other layer's of the model.
    kind : str
        What Keras 2 calls it, "InputLayer" of the first.
    sources : tuple of str
        Names of the layers that it reads, in order.
    config : dict
        The settings of `nengo_tactile.ann.settings.SETTINGS`, in Keras 2's words.
    weights : tuple of array
        In Keras's order.
    input_shapes : tuple of tuple of int
        Shapes of what it reads, for one sample.
    shape : tuple of int
        Of its output for one sample.
    """

    name: str
    kind: str
    sources: tuple
    config: dict
    weights: tuple
    input_shapes: tuple
    shape: tuple

    @property
    def label(self):
        """For errors: "layer 'conv1' (Conv2D)"."""
        return f"layer '{self.name}' ({self.kind})"

    @property
    def channels_last(self):
        """Whether its channels are on the last axis."""
        return self.config.get("data_format", "channels_last") == "channels_last"

    def on(self, inputs):
        """The same layer reading others, a sequence of `Layer`."""
        sources = tuple(each.name for each in inputs)
        if self.input_shapes != tuple(each.shape for each in inputs):
            return layer(self.kind, self.name, inputs, self.weights, **self.config)
        return self if sources == self.sources else dataclasses.replace(self, sources=sources)

    def changed(self, inputs, weights=None, /, **config):
        """The layer reading others, with other weights and settings where they are given."""
        weights = self.weights if weights is None else weights
        return layer(self.kind, self.name, inputs, weights, **{**self.config, **config})

    def fresh(self):
        """A new layer of Keras 2 with its settings, not built yet, whose weights begin at zero."""
        made_new = made(self.kind, self.config, self.name)
        # drawing large ones at random takes seconds
        for key in [key for key in vars(made_new) if key.endswith("_initializer")]:
            setattr(made_new, key, stack.tensorflow().keras.initializers.Zeros())
        return made_new

    @cached_property
    def keras(self):
        """The layer of Keras 2 that computes it; made once.

        Raises
        ------
        ConversionError
            Where its weights are not those that its settings want.
        """
        built = self.fresh()
        built.build(_batches(self.input_shapes))
        check_shapes(self.label, [tuple(one.shape) for one in built.weights], self.weights)
        built.set_weights(self.weights)
        return built

    def __call__(self, values):
        """Its output for those of the layers that it reads, a sequence of tensors."""
        return self.keras(values[0] if len(values) == 1 else list(values))


def check_shapes(label, wanted, weights):
    """Refuse a layer's weights of other shapes than its settings want.

    Raises
    ------
    ConversionError
    """
    given = [tuple(np.shape(weight)) for weight in weights]
    if wanted != given:
        raise ConversionError(
            f"{label}: its weights have the shapes {given}, its settings want {wanted}: "
            "architecture and weights belong to different models; save the model again"
        )


def input_layer(name, shape):
    """The layer that a model begins with, for samples of a shape."""
    return Layer(name, "InputLayer", (), {}, (), (), tuple(shape))


def layer(kind, name, inputs, weights=None, /, **config):
    """Make a layer.

    Parameters
    ----------
    kind : str
        Of `nengo_tactile.ann.settings.SETTINGS`.
    name : str
    inputs : sequence of Layer
        What it reads.
    weights : sequence of array, optional
        By default those that Keras gives it.
    **config
        Settings, in the words of Keras 2 or 3.

    Returns
    -------
    Layer
    """
    built = made(kind, config, name)
    shapes = tuple(each.shape for each in inputs)
    if weights is None:
        built.build(_batches(shapes))
        weights = built.get_weights()
    kind = type(built).__name__
    shape = shapes[0]
    if kind not in _SAME_SHAPE:
        shape = tuple(built.compute_output_shape(_batches(shapes)))[1:]
    return Layer(
        name,
        kind,
        tuple(each.name for each in inputs),
        settings_of(built),
        tuple(np.asarray(weight, np.float32) for weight in weights),
        shapes,
        shape,
    )


def _batches(shapes):
    """Shapes as Keras has them, with an axis of samples."""
    shapes = [(None, *shape) for shape in shapes]
    return shapes[0] if len(shapes) == 1 else shapes


@dataclasses.dataclass(frozen=True, eq=False)
class Layers:
    """A model of one input and one output, as its layers.

    Attributes
    ----------
    name : str
    layers : tuple of Layer
        In an order of computation; the first is the input.
    output : str
        Name of the layer that gives the output.
    """

    name: str
    layers: tuple
    output: str

    def __iter__(self):
        return iter(self.layers)

    def __getitem__(self, name):
        return self._by_name[name]

    @cached_property
    def _by_name(self):
        return {each.name: each for each in self.layers}

    @property
    def input(self):
        """The first layer."""
        return self.layers[0]

    @property
    def input_shape(self):
        """Of one sample."""
        return self.input.shape

    @property
    def output_shape(self):
        """Of one sample's output."""
        return self[self.output].shape

    @property
    def first(self):
        """The layers that read the input before anything else."""
        return [each for each in self.layers if each.sources[:1] == (self.input.name,)]

    @cached_property
    def readers(self):
        """Names of the layers that read each layer, {name: [name]}."""
        found = {each.name: [] for each in self.layers}
        for each in self.layers:
            for source in each.sources:
                found[source].append(each.name)
        return found

    def names(self):
        """Names for layers beside these: see `nengo_tactile.ann.description.Names`."""
        return Names(self._by_name)

    def of_kinds(self, *kinds):
        """The layers of some kinds, in order."""
        return [each for each in self.layers if each.kind in kinds]

    def rebuilt(self, replace):
        """The model with other layers in the places of some.

        Parameters
        ----------
        replace : callable
            ``replace(layer, inputs)``, where ``inputs`` are the new layers that stand where it
            reads, gives a layer, or several of which the last stands in its place; one of
            ``inputs`` takes it out; None keeps it.

        Returns
        -------
        Layers
        """
        new, standing = {}, {}
        for each in self.layers:
            inputs = [standing[source] for source in each.sources]
            found = replace(each, inputs) if inputs else each
            if found is None:
                found = each.on(inputs)
            found = found if isinstance(found, (list, tuple)) else [found]
            new |= {one.name: one for one in found}
            standing[each.name] = found[-1]
        return Layers(self.name, tuple(new.values()), standing[self.output].name)

    def ending_in(self, layer):
        """The model with one more layer behind it, which gives the output."""
        return Layers(self.name, (*self.layers, layer), layer.name)

    def values(self, x, names, instead=None):
        """Yield ``(layer, tensor)`` for some layers, as they are computed, and no more than these.

        What no layer reads any more is forgotten.

        Parameters
        ----------
        x : (n_samples, ...) array
        names : collection of str
        instead : dict of str to callable, optional
            By kind, what gives a layer's output instead: ``instead[kind](layer, input)``.
        """
        instead = instead or {}
        tf = stack.tensorflow()
        last = {source: each.name for each in self.layers for source in each.sources}
        known, missing = {self.input.name: tf.constant(x, tf.float32)}, set(names)
        for each in self.layers:
            if not missing:
                return
            missing.discard(each.name)
            inputs = [known[source] for source in each.sources]
            if each.kind in instead:
                known[each.name] = instead[each.kind](each, *inputs)
            elif inputs:
                known[each.name] = each(inputs)
            if each.name in names:
                yield each, known[each.name]
            for source in each.sources:
                if last[source] == each.name:
                    known.pop(source, None)

    def outputs(self, x, batch_size=512, instead=None):
        """The model's output, computed in minibatches.

        Parameters
        ----------
        x : (n_samples, ...) array
        batch_size : int
        instead : dict of str to callable, optional
            See `values`.

        Returns
        -------
        (n_samples, ...) float32 array
        """
        parts = [np.zeros((0, *self.output_shape), np.float32)]
        for start in range(0, len(x), batch_size):
            ((_, value),) = self.values(x[start : start + batch_size], {self.output}, instead)
            parts.append(value.numpy())
        return np.concatenate(parts)
