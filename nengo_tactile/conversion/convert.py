"""One call from a trained Keras model to a spiking network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from nengo_tactile import stack
from nengo_tactile.ann.convolutions import check_convolutions
from nengo_tactile.arguments import names, positive, whole
from nengo_tactile.conversion.choice import COSTS, for_loss, for_steps
from nengo_tactile.conversion.ends import read_out_of
from nengo_tactile.conversion.folding import fold_batch_norm, fold_rescaling
from nengo_tactile.conversion.input_range import check_input
from nengo_tactile.conversion.neurons import Blueprint, check_neuron, neuron_for, own_neuron
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.reading import convertible
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.conversion.tensorflow_errors import tensorflow_errors_named
from nengo_tactile.errors import ConversionError

if TYPE_CHECKING:
    from nengo_tactile.conversion.network import SpikingNetwork
    from nengo_tactile.conversion.neurons import Neuron
    from nengo_tactile.events.images import TactileImage


@stack.guest()
@tensorflow_errors_named
def convert(
    model: Any,
    x: ArrayLike | None = None,
    neuron: "Neuron | None" = None,
    *,
    labels: ArrayLike | None = None,
    n_steps: int | None = None,
    max_loss: float | None = None,
    minimise: Literal["steps", "packets", "synops"] = "packets",
    dt: float = 0.001,
    quantise: int | None = None,
    image: "TactileImage | None" = None,
    classes: Sequence[str] = (),
    seed: int = 0,
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
        that of a ReLU, so that no training is needed. Where ``n_steps`` or ``max_loss`` is given,
        those that suit it: see `nengo_tactile.conversion.choice`.
    labels : (n_samples,) int array, optional
        Of the samples, for what is chosen by its accuracy (``max_loss``, of `SigmaDelta` too); else
        the model's own outputs are what counts.
    n_steps : int
        Presentation time of a sample, in steps; by default 60, of `SigmaDelta` as many as it takes
        until nothing fires on the calibration samples. Without a neuron, `IF` neurons, their
        thresholds, correction and read-out are chosen for these steps.
    max_loss : float, optional
        Points of accuracy that may be lost on a held-out half of the samples: the cheapest network
        of `IF` neurons is returned that loses no more, and its ``card`` says what was tried.
    minimise : {"steps", "packets", "synops"}
        What it is the cheapest by: steps, spikes (whatever they are worth) or synaptic operations.
    dt : float
        Length of a time step in seconds.
    quantise : int, optional
        Bits of the weights, 8 for the event engine's fastest sums: whole numbers times a scale for
        each filter, rounded before anything is corrected. What that costs on the calibration
        samples stands on the network's ``card``. Biases and thresholds stay exact.
    image : TactileImage, optional
        How recordings become inputs.
    classes : sequence of str, optional
    seed : int
        Of what is drawn at random: the order of the samples in ``IF(correction="learned")``.
    progress : bool, optional

    Returns
    -------
    SpikingNetwork

    The outputs of what was converted, with rectifiers for its neurons, are compared with the
    model's on up to 32 of the calibration samples.

    Raises
    ------
    ConversionError
        For layers that cannot be converted: one line for each reason, with the remedy; for a
        ``max_loss`` that nothing comes to, with the best that was found; where the comparison
        finds more than rounding; and for convolutions that TensorFlow computes wrongly on this
        machine (see `convolutions`).
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
    max_loss = _check_wish(max_loss, minimise, neuron)
    dt = positive("dt", dt, "the length of a step in seconds", ConversionError)
    classes = names("classes", classes, error=ConversionError)
    seed = whole("seed", seed, least=0, error=ConversionError)
    if quantise is not None:
        quantise = whole("quantise", quantise, least=2, error=ConversionError)
    layers = convertible(model)
    if x is not None:
        x = check_input(layers, x)
    read_out = read_out_of(layers)[0]
    if labels is not None:
        labels, _ = read_out.check_labels(labels, 0 if x is None else len(x))
    check_convolutions(layers, x)
    linear = prepare(layers)
    blueprint = Blueprint(
        *(model, layers, linear, read_out, x, labels),
        *(n_steps, dt, image, classes, seed, progress),
        quantise=quantise,
    )
    if x is not None:
        blueprint.check(linear)
    own = own_neuron(linear)
    if max_loss is None and (neuron is not None or n_steps is None or own is not None):
        return neuron_for(linear, neuron).network(blueprint)
    if max_loss is None:
        return for_steps(blueprint)
    if own is not None:
        raise ConversionError(
            f"max_loss is {max_loss:g}, and model '{linear.name}' has {own.layer} layers, whose "
            "neurons are settled: give the model with its ReLUs"
        )
    return for_loss(blueprint, max_loss, minimise, neuron)


def _check_wish(max_loss, minimise, neuron):
    """Refuse what no loss, cost, or neuron to be chosen by a loss is.

    Raises
    ------
    ConversionError
    """
    if minimise not in COSTS:
        raise ConversionError(f"minimise is {minimise!r}: choose one of {', '.join(COSTS)}")
    if max_loss is None:
        if minimise != "packets":
            raise ConversionError(
                f"minimise is {minimise!r} without a max_loss: give the points that may be lost"
            )
        return None
    if neuron is not None and not neuron.takes_loss:
        raise ConversionError(
            f"max_loss is {max_loss!r} and neuron {neuron}: give nt.IF(...), none to have it "
            "chosen, or nt.SigmaDelta(max_loss=...)"
        )
    return 0.0 if max_loss == 0 else positive("max_loss", max_loss, "points", ConversionError)


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
