"""A converted model beside the one that it came from: their outputs have to be the same.

Whatever a pass or a reader gets wrong shows here, on a few calibration samples, before a network
is handed out. Firing rates end at one spike a step, and LIF neurons have a rate of their own, so
what is compared is the network with rectifiers in its neurons' places.
"""

from pathlib import Path

import numpy as np

from nengo_tactile import stack
from nengo_tactile.ann.keras3 import is_keras3, output_of
from nengo_tactile.errors import ConversionError

#: Samples that are compared at most.
SAMPLES = 32
#: Largest difference, in units of the model's largest output: what rounding comes to in deep
#: networks of float32, and of layers that compute in 16 bits.
TOLERANCE, COARSE = 1e-3, 0.1


def differences(model, flat, linear, read_out, x):
    """Largest difference of a network's outputs from a model's.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
        As the user brought it; a file is as good as what was read from it, ``flat``.
    flat, linear : tf.keras.Model
        What was read, and what conversion made of it; the second ends in potentials.
    read_out : ReadOut
    x : (n_samples, ...) array

    Returns
    -------
    float
        In units of the model's largest output; 0 where both are zero.
    """
    x = np.asarray(x)[:: -(-len(x) // SAMPLES)]
    wanted = _outputs(flat if isinstance(model, str | Path) else model, x)
    potentials = linear(x.astype(np.float32), training=False).numpy()
    got = read_out.apply(potentials.reshape(len(x), -1))
    top = np.abs(wanted).max()
    if not top:
        return float(np.abs(got).max() > 1e-6)
    return float(np.abs(got - wanted).max() / top)


def compare(model, flat, linear, read_out, x):
    """Refuse a conversion whose outputs are not the model's, beyond rounding.

    Parameters are those of `differences`.

    Returns
    -------
    float
        From `differences`.

    Raises
    ------
    ConversionError
        With the difference, and the first layer whose own output is another, where one is found.
    """
    found = differences(model, flat, linear, read_out, x)
    allowed = COARSE if is_coarse(model) else TOLERANCE
    if found <= allowed:
        return found
    where = "" if isinstance(model, str | Path) or is_keras3(model) else _first(model, flat, x)
    raise ConversionError(
        f"model '{flat.name}': converted, its output differs by {found:.3g} of the largest value "
        f"on calibration samples, at most {allowed:g} is allowed{where}; build it from the layers "
        "that docs/layers.md lists, and report it if it is"
    )


def _outputs(model, x):
    """A model's outputs for samples in the type that it takes, as float32."""
    if is_keras3(model):
        return output_of(model, x)
    output = model(x.astype(model.inputs[0].dtype.as_numpy_dtype), training=False)
    return output.numpy().astype(np.float32)


def is_coarse(model):
    """Whether a layer of a model, or of a model inside it, computes in 16 bits."""
    layers = getattr(model, "layers", ())
    return any(
        is_coarse(layer) if hasattr(layer, "layers") else "16" in str(layer.compute_dtype)
        for layer in layers
    )


def _first(model, flat, x):
    """The first layer whose output differs, in words."""
    tf = stack.tensorflow()
    named = {layer.name: layer for layer in flat.layers}
    for layer in model.layers:
        if layer.name not in named or len(layer.inbound_nodes) != 1:
            continue
        wanted = tf.keras.Model(model.inputs, layer.output)
        got = tf.keras.Model(flat.inputs, named[layer.name].output)
        one, other = (_outputs(part, x[:4]) for part in (wanted, got))
        if np.abs(one - other).max() > TOLERANCE * max(np.abs(one).max(), 1e-6):
            return f", beginning with layer '{layer.name}' ({type(layer).__name__})"
    return ""
