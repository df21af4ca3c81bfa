"""Training with the rates of LIF neurons in NengoDL (ST-MNIST paper, section 3.2.2).

The Keras model's ReLUs become LIF rates (soft LIF near the threshold while training), the
network learns on in NengoDL, and its parameters go back into a Keras model with `RateLIF`
layers, whose neurons then spike at inference.
"""

import dataclasses
import functools

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.portable import keras_model
from nengo_tactile.ann.training import (
    History,
    accuracy,
    check_samples,
    fingerprint,
    learning_rate_at,
    resume,
    save_checkpoint,
)
from nengo_tactile.conversion.activation_scales import activation_percentiles
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.conversion.passes import (
    spiking_layers,
    use_lif,
    use_relu,
    with_smoothing,
)
from nengo_tactile.conversion.pooling import merge_average_pooling
from nengo_tactile.conversion.reading import convertible, plain
from nengo_tactile.conversion.simplify import simplify
from nengo_tactile.errors import ConversionError, DataError
from nengo_tactile.progress import track


@dataclasses.dataclass(frozen=True)
class LIFRecipe:
    """How the LIF network learns on from the ReLU network.

    Attributes
    ----------
    max_rate : float
        Firing rate in hertz at the layer's high percentile of activation.
    sigma : float
        Smoothing of soft LIF, in units of the threshold current (Hunsberger and Eliasmith
        2016 use 0.02 of the input; wider is smoother, but further from the exact rates).
    epochs, batch_size, learning_rate :
        RMSProp as in the paper, with a learning rate that falls to zero along a cosine.
    """

    max_rate: float = 500.0
    sigma: float = 0.02
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 5e-4
    schedule: str = "cosine"


def lif_network(model, x, neuron=None, sigma=0.0):
    """Put LIF rates, scaled on calibration samples, in place of a model's ReLUs.

    Parameters
    ----------
    model : tf.keras.Model
        Trained with ReLU.
    x : (n_samples, ...) array
        Calibration samples.
    neuron : LIF, optional
        Of its options rate, percentile and time constants count here. Nengo's time constants (20
        ms, 2 ms) train as well, but lose more on the Loihi emulator: their rate is steep at the
        threshold, where the chip's rounding weighs most.
    sigma : float
        Smoothing near the threshold (soft LIF).

    Returns
    -------
    tf.keras.Model
        With `RateLIF` layers; it computes another function, the more so with Nengo's time
        constants, and is to be trained on.
    """
    neuron = LIF() if neuron is None else neuron
    layers = merge_average_pooling(simplify(convertible(model)))
    tops = activation_percentiles(
        layers, spiking_layers(layers), x, neuron.percentile, nonzero=neuron.nonzero
    )
    parameters = {name: neuron.parameters(top) for name, top in tops.items()}
    return keras_model(use_lif(layers, parameters, sigma))


def nengo_dl_converter(lif_model, sigma=0.0):
    """The NengoDL network of a model with LIF rates, through ``nengo_dl.Converter``.

    The Converter sees plain ReLUs, each a layer of its own; the neurons' gains, amplitudes and
    offsets are set on its ensembles afterwards. Weights and biases are never scaled, so they
    move between the two networks unchanged (nengo-dl issue 213).

    Parameters
    ----------
    lif_model : tf.keras.Model
        From `lif_network`.
    sigma : float
        Soft LIF if above zero.

    Returns
    -------
    nengo_dl.Converter
    """
    import nengo

    nengo_dl = stack.nengo_dl()
    converter = nengo_dl.Converter(keras_model(use_relu(plain(lif_model))), allow_fallback=False)
    ensembles = {ensemble.label: ensemble for ensemble in converter.net.all_ensembles}
    for layer in lif_model.layers:
        if type(layer).__name__ != "RateLIF":
            continue
        lif = layer.parameters
        shared = {"tau_rc": lif.tau_rc, "tau_ref": lif.tau_ref, "amplitude": lif.amplitude}
        ensemble = ensembles[_label(layer)]
        ensemble.neuron_type = (
            nengo_dl.SoftLIFRate(sigma=sigma, **shared) if sigma else nengo.LIFRate(**shared)
        )
        ensemble.gain = nengo.dists.Choice([lif.gain])
        # the Converter has marked it as not trainable: the layer before holds the bias
        ensemble.bias = nengo.dists.Choice([lif.offset])
    return converter


def train_in_nengo_dl(
    lif_model,
    data,
    recipe=LIFRecipe(),
    seed=0,
    validation=None,
    checkpoint=None,
    progress=None,
    description="training LIF rates",
):
    """Train a model with LIF rates in NengoDL.

    Parameters
    ----------
    lif_model : tf.keras.Model
        From `lif_network`; not changed.
    data : (x, y) or callable
        Arrays, or a function ``epoch -> (x, y)``, as in `nengo_tactile.ann.training.train`.
    recipe : LIFRecipe
    seed : int
        Seed of the order of the samples.
    validation : (x, y), optional
        Scored at the end.
    checkpoint : path, optional
        An .npz file rewritten after each epoch; when it exists training goes on from it.
    progress : bool, optional

    Returns
    -------
    model : tf.keras.Model
        New model with exact LIF rates (no smoothing) and the trained parameters.
    history : History

    Raises
    ------
    ConversionError
        If the model has no LIF rates.
    DataError
        For samples that cannot be trained on, and when the loss is no longer finite.
    ModelFileError
        If the checkpoint belongs to another network, recipe, seed or data.
    """
    nengo_dl = stack.nengo_dl()
    tf = stack.tensorflow()
    if not any(type(layer).__name__ == "RateLIF" for layer in lif_model.layers):
        raise ConversionError(
            f"model '{lif_model.name}' has no LIF rates to train: make it with lif_network"
        )
    samples = data if callable(data) else (lambda epoch: data)
    n_classes = lif_model.output_shape[-1]
    x, y = samples(0)
    check_samples(x, y, n_classes)
    batch_size = min(recipe.batch_size, len(x))
    history = History()
    with stack.quiet_build():
        converter = nengo_dl_converter(lif_model, recipe.sigma)
        with converter.net:
            nengo_dl.configure_settings(
                stateful=False, planner=nengo_dl.graph_optimizer.noop_planner, keep_history=False
            )
        simulator = nengo_dl.Simulator(
            converter.net, minibatch_size=batch_size, progress_bar=False, seed=seed
        )
    node = converter.inputs[converter.model.inputs[0]]
    probe = converter.outputs[converter.model.outputs[0]]
    with stack.quiet_build(), simulator as sim:
        optimizer = tf.keras.optimizers.RMSprop(recipe.learning_rate)
        optimizer.build(sim.keras_model.trainable_variables)
        sim.compile(
            optimizer=optimizer,
            loss={probe: tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        )
        first = 0
        if checkpoint:
            mark = fingerprint(lif_model, recipe, seed, x, y)
            first = resume(checkpoint, sim.keras_model, optimizer, history, mark)
        for epoch in track(range(first, recipe.epochs), description, progress=progress):
            if epoch and callable(data):
                x, y = samples(epoch)
                check_samples(x, y, n_classes, f"training data of epoch {epoch + 1}")
            # NengoDL's minibatch is fixed; what does not fill one waits for the next epoch
            order = np.random.default_rng((seed, epoch)).permutation(len(x))
            chosen = order[: len(x) // batch_size * batch_size]
            optimizer.learning_rate.assign(learning_rate_at(recipe, epoch, recipe.epochs))
            images = {node: np.asarray(x, np.float32)[chosen].reshape(len(chosen), 1, -1)}
            classes = {probe: np.asarray(y)[chosen].reshape(-1, 1, 1)}
            fit = functools.partial(sim.fit, images, classes, shuffle=False, verbose=0)
            result = stack.interruptible(fit)
            history.loss.append(float(result.history["loss"][0]))
            if not np.isfinite(history.loss[-1]):
                raise DataError(
                    f"{description}: the loss became {history.loss[-1]} in epoch {epoch + 1}: "
                    f"lower the learning rate (now {recipe.learning_rate}) or raise sigma"
                )
            if checkpoint:
                save_checkpoint(checkpoint, sim.keras_model, optimizer, history, mark, epoch + 1)
        trained = _export(sim, converter, lif_model)
    history.accuracy.append(accuracy(trained, x, y))
    if validation is not None:
        history.validation_accuracy.append(accuracy(trained, *validation))
    return trained, history


def _label(layer):
    """What the Converter calls the object of a layer's first (and only) use."""
    return f"{layer.name}.0"


def _export(sim, converter, lif_model):
    """Copy the parameters of a NengoDL simulation into a Keras model with exact LIF rates."""
    from nengo import Dense
    from nengo.transforms import NoTransform, Sparse

    sim.freeze_params(converter.net)
    kernels, biases = {}, {}
    for connection in converter.net.all_connections:
        transform = connection.transform
        if isinstance(transform, (NoTransform, Sparse)):  # what copies and broadcasts
            continue
        value = np.asarray(transform.init, np.float32)
        pre, post = (getattr(o, "ensemble", o).label for o in (connection.pre, connection.post))
        if pre.endswith(".bias"):
            biases[pre.removesuffix(".bias")] = value.reshape(-1)
        else:
            kernels[post] = value.T if isinstance(transform, Dense) else value

    def replace(layer, inputs):
        if not layer.weights:
            return None
        name = _label(layer)
        bias = [biases[name]] if layer.config["use_bias"] else []
        return layer.changed(inputs, [kernels[name], *bias])

    return keras_model(with_smoothing(plain(lif_model).rebuilt(replace), 0.0))
