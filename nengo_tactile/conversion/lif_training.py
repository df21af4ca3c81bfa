"""Training with the rates of LIF neurons in NengoDL (ST-MNIST paper, section 3.2.2).

The Keras model's ReLUs become LIF rates (soft LIF near the threshold while training), the
network learns on in NengoDL, and its parameters go back into a Keras model with `RateLIF`
layers, whose neurons then spike at inference.
"""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.lif import parameters_for
from nengo_tactile.ann.training import History, check_samples, learning_rate_at, predict
from nengo_tactile.conversion.calibration import activation_percentiles
from nengo_tactile.conversion.graph import copy_layer, rebuild
from nengo_tactile.conversion.passes import (
    check_layers,
    merge_average_pooling,
    simplify,
    spiking_layers,
    use_lif,
)
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
        2016 use 0.02 of the input; wider trains more safely).
    epochs, batch_size, learning_rate :
        RMSProp as in the paper, with a learning rate that falls to zero along a cosine.
    """

    max_rate: float = 250.0
    sigma: float = 0.1
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "cosine"


def lif_network(model, calibration, max_rate=250.0, percentile=99.9, sigma=0.0):
    """Put LIF rates, scaled on calibration data, in place of a model's ReLUs.

    Parameters
    ----------
    model : tf.keras.Model
        Trained with ReLU.
    calibration : (n_samples, ...) array
    max_rate : float
        Firing rate in hertz at the percentile of each layer's activations.
    percentile, sigma : float

    Returns
    -------
    tf.keras.Model
        With `RateLIF` layers; it computes another function and has to be trained on.
    """
    check_layers(model)
    plain = merge_average_pooling(simplify(model))
    tops = activation_percentiles(plain, spiking_layers(plain), calibration, percentile)
    return use_lif(plain, {n: parameters_for(v, max_rate) for n, v in tops.items()}, sigma)


def nengo_dl_converter(lif_model, sigma=0.0):
    """The NengoDL network of a model with LIF rates, through ``nengo_dl.Converter``.

    Activations are layers of their own here, so the Converter scales gains and amplitudes and
    never a bias: parameters move between the two networks unchanged (nengo-dl issue 213).

    Parameters
    ----------
    lif_model : tf.keras.Model
        From `lif_network`; all its layers share time constants and firing-rate range.
    sigma : float
        Soft LIF if above zero.

    Returns
    -------
    nengo_dl.Converter
    """
    import nengo

    nengo_dl = stack.nengo_dl()
    tf = stack.tensorflow()
    found = [layer.parameters for layer in lif_model.layers if hasattr(layer, "parameters")]
    if len({(p.tau_rc, p.tau_ref, round(p.gain * p.amplitude, 9)) for p in found}) > 1 or any(
        p.offset for p in found
    ):
        raise ConversionError(
            f"model '{lif_model.name}': its LIF layers differ in time constants or in gain times "
            "amplitude, or have an offset; NengoDL's Converter swaps one neuron type for all: "
            "make the model with lif_network"
        )
    first = found[0]
    shared = {"tau_rc": first.tau_rc, "tau_ref": first.tau_ref}
    amplitude = first.gain * first.amplitude
    neuron = (
        nengo_dl.SoftLIFRate(sigma=sigma, amplitude=amplitude, **shared)
        if sigma
        else nengo.LIFRate(amplitude=amplitude, **shared)
    )

    scales = {}

    def with_relu(layer, inputs):
        if type(layer).__name__ != "RateLIF":
            return copy_layer(layer, inputs)
        relu = tf.keras.layers.Activation("relu", name=layer.name)
        scales[relu] = layer.parameters.gain
        return relu(inputs[0])

    relu_model = rebuild(lif_model, with_relu)
    return nengo_dl.Converter(
        relu_model,
        allow_fallback=False,
        swap_activations={tf.keras.activations.relu: neuron},
        scale_firing_rates=scales,
    )


def train_in_nengo_dl(
    lif_model,
    x,
    y,
    recipe=LIFRecipe(),
    seed=0,
    validation=None,
    progress=None,
):
    """Train a model with LIF rates in NengoDL.

    Parameters
    ----------
    lif_model : tf.keras.Model
        From `lif_network`; not changed.
    x : (n_samples, ...) array
    y : (n_samples,) int array
    recipe : LIFRecipe
    seed : int
        Seed of the order of the samples.
    validation : (x, y), optional
    progress : bool, optional

    Returns
    -------
    model : tf.keras.Model
        New model with exact LIF rates (no smoothing) and the trained parameters.
    history : History
    """
    nengo_dl = stack.nengo_dl()
    tf = stack.tensorflow()
    check_samples(x, y, lif_model.output_shape[-1])
    converter = nengo_dl_converter(lif_model, recipe.sigma)
    with converter.net:
        nengo_dl.configure_settings(
            stateful=False, planner=nengo_dl.graph_optimizer.noop_planner, keep_history=False
        )
    node = converter.inputs[converter.model.inputs[0]]
    probe = converter.outputs[converter.model.outputs[0]]
    batch_size = min(recipe.batch_size, len(x))
    n_batches = len(x) // batch_size
    flat = np.asarray(x, np.float32).reshape(len(x), 1, -1)
    targets = np.asarray(y).reshape(len(y), 1, 1)
    history = History()
    with nengo_dl.Simulator(
        converter.net, minibatch_size=batch_size, progress_bar=False, seed=seed
    ) as sim:
        optimizer = tf.keras.optimizers.RMSprop(recipe.learning_rate)
        sim.compile(
            optimizer=optimizer,
            loss={probe: tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        )
        for epoch in track(range(recipe.epochs), "training LIF rates", progress=progress):
            order = np.random.default_rng((seed, epoch)).permutation(len(x))
            # NengoDL's minibatch is fixed; what does not fill one waits for the next epoch
            chosen = order[: n_batches * batch_size]
            optimizer.learning_rate.assign(learning_rate_at(recipe, epoch, recipe.epochs))
            result = sim.fit(
                {node: flat[chosen]}, {probe: targets[chosen]}, shuffle=False, verbose=0
            )
            history.loss.append(float(result.history["loss"][0]))
            if not np.isfinite(history.loss[-1]):
                raise DataError(
                    f"training LIF rates: the loss became {history.loss[-1]} in epoch {epoch + 1}: "
                    f"lower the learning rate (now {recipe.learning_rate}) or raise sigma"
                )
        trained = _export(sim, converter, lif_model)
    history.accuracy.append(float((predict(trained, x).argmax(1) == y).mean()))
    if validation is not None:
        x_val, y_val = validation
        history.validation_accuracy.append(
            float((predict(trained, x_val).argmax(1) == y_val).mean())
        )
    return trained, history


def _label(obj):
    return str(obj.ensemble.label if hasattr(obj, "ensemble") else obj.label)


def _export(sim, converter, lif_model):
    """Copy the parameters of a NengoDL simulation into a Keras model with exact LIF rates."""
    sim.freeze_params(converter.net)
    weights = {}
    for connection in converter.net.all_connections:
        transform = connection.transform
        if not hasattr(transform, "init") or type(transform).__name__ == "Sparse":
            continue
        value = np.asarray(transform.init, np.float32)
        pre, post = _label(connection.pre_obj), _label(connection.post_obj)
        layer = post.split(".")[0]
        if pre.split(".")[-1] == "bias":
            weights.setdefault(layer, {})["bias"] = value.reshape(-1)
        elif type(transform).__name__ == "Convolution" or value.ndim == 2:
            conv = type(transform).__name__ == "Convolution"
            weights.setdefault(layer, {})["kernel"] = value if conv else value.T

    def replace(layer, inputs):
        if type(layer).__name__ == "RateLIF":
            config = {**layer.get_config(), "sigma": 0.0}
            return layer.__class__.from_config(config)(inputs[0])
        if not layer.weights:
            return None
        copy = layer.__class__.from_config(layer.get_config())
        output = copy(inputs[0])
        found = weights[layer.name]
        copy.set_weights([found["kernel"], *([found["bias"]] if layer.use_bias else [])])
        return output

    return rebuild(lif_model, replace)
