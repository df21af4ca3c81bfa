"""One call from a trained Keras model to a spiking network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from nengo_tactile.ann.convolutions import check_convolutions
from nengo_tactile.arguments import names, positive, whole
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.folding import fold_batch_norm, fold_rescaling
from nengo_tactile.conversion.input_range import check_input
from nengo_tactile.conversion.neurons import Blueprint, check_neuron, neuron_for
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.conversion.tensorflow_errors import tensorflow_errors_named
from nengo_tactile.errors import ConversionError

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons import Neuron
    from nengo_tactile.events.images import TactileImage


@tensorflow_errors_named
def convert(
    model: Any,
    x: ArrayLike | None = None,
    neuron: "Neuron | None" = None,
    *,
    labels: ArrayLike | None = None,
    n_steps: int | None = None,
    dt: float = 0.001,
    image: "TactileImage | None" = None,
    classes: Sequence[str] = (),
    progress: bool | None = None,
) -> "SpikingNetwork":
    """Convert a Keras model to a spiking network.

    Parameters
    ----------
    model : tf.keras.Model or path
        Functional or sequential, or the path of a saved .keras or .h5 file; Keras 3 models too.
    x : (n_samples, ...) array
        Calibration samples: inputs like those the network will see, a few hundred, from the
        training data. Their range is kept with the network: samples of quite another one are
        refused when it runs. Only `SigmaDelta` of a given ``threshold`` can do without.
    neuron : LIF, IF or SigmaDelta, optional
        The neurons, with their options. By default those of the model's own layers, where it has
        `RateLIF`, `RateIF` or `SigmaDelta` ones, else ``LIF()``: slow neurons whose rate is almost
        that of a ReLU, so that no training is needed.
    labels : (n_samples,) int array, optional
        Of the samples, for what is chosen by its accuracy (``SigmaDelta(max_loss=...)``); else the
        model's own outputs are what counts.
    n_steps : int
        Presentation time of a sample, in steps; by default 60, of `SigmaDelta` as many as it takes
        until nothing fires on the calibration samples.
    dt : float
        Length of a time step in seconds.
    image : TactileImage, optional
        How recordings become inputs.
    classes : sequence of str, optional
    progress : bool, optional

    Returns
    -------
    SpikingNetwork

    The outputs of what was converted, with rectifiers for its neurons, are compared with the
    model's on up to 32 of the calibration samples.

    Raises
    ------
    ConversionError
        For layers that cannot be converted: one line for each reason, with the remedy; where
        the comparison finds more than rounding; and for convolutions that TensorFlow computes
        wrongly on this machine (see `convolutions`).
    ModelFileError
        For files that cannot be read, or have such layers.
    DataError
        For samples of the wrong shape, empty, NaN or infinite, and labels that do not fit them.

    Warns
    -----
    ConversionWarning
        For options of a neuron that harm on the calibration samples.
    """
    check_neuron(neuron)
    if n_steps is not None:
        n_steps = whole("n_steps", n_steps, error=ConversionError)
    dt = positive("dt", dt, "the length of a step in seconds", ConversionError)
    classes = names("classes", classes, error=ConversionError)
    layers = convertible(model)
    if x is not None:
        x = check_input(layers, x)
    read_out = read_out_of(layers)[0]
    if labels is not None:
        labels, _ = read_out.check_labels(labels, 0 if x is None else len(x))
    check_convolutions(layers, x)
    linear = prepare(layers)
    neuron = neuron_for(linear, neuron)
    blueprint = Blueprint(
        *(model, layers, linear, read_out, x, labels),
        *(n_steps, dt, image, classes, progress),
    )
    if x is not None:
        blueprint.check(linear)
    return neuron.network(blueprint)


def prepare(layers):
    """Bring a model into the form that neurons are put in: rectifiers, and linear layers between.

    Nothing but its last softmax changes: see `simplify`, `fold_batch_norm`, `fold_rescaling`
    and `merge_average_pooling`.

    Parameters
    ----------
    layers : nengo_tactile.ann.layers.Layers

    Returns
    -------
    Layers
    """
    return merge_average_pooling(fold_rescaling(fold_batch_norm(simplify(layers))))
