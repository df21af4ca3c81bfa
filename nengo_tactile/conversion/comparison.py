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


def compared_outputs(model, read, x):
    """A model's outputs for the samples that networks are compared on.

    Parameters are those of `differences`.

    Returns
    -------
    (n, ...) float32 array
    """
    x = _some(x)
    return read.outputs(x) if isinstance(model, str | Path) else _outputs(model, x)


def differences(model, read, linear, read_out, x, wanted=None):
    """Largest difference of a network's outputs from a model's.

    Parameters
    ----------
    model : tf.keras.Model, keras.Model or path
        As the user brought it; a file is as good as what was read from it.
    read, linear : nengo_tactile.ann.layers.Layers
        What was read, and what conversion made of it; the second ends in potentials.
    read_out : ReadOut
    x : (n_samples, ...) array
    wanted : array, optional
        From `compared_outputs`, where it is there already.

    Returns
    -------
    float
        In units of the model's largest output; 0 where both are zero. Of quantised activations
        that of the median sample: here and there rounding moves one by a level.
    """
    wanted, x = compared_outputs(model, read, x) if wanted is None else wanted, _some(x)
    got = read_out.apply(linear.outputs(x).reshape(len(x), -1))
    top = np.abs(wanted).max()
    if not top:
        return float(np.abs(got).max() > 1e-6)
    each = np.abs(got - wanted).reshape(len(x), -1).max(axis=1) / top
    return float(np.median(each) if read.of_kinds("ClipFloor") else each.max())


def compare(model, read, linear, read_out, x, wanted=None):
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
    found = differences(model, read, linear, read_out, x, wanted)
    allowed = COARSE if is_coarse(model) else TOLERANCE
    if found <= allowed:
        return found
    where = "" if isinstance(model, str | Path) or is_keras3(model) else _first(model, read, x)
    raise ConversionError(
        f"model '{read.name}': converted, its output differs by {found:.3g} of the largest value "
        f"on calibration samples, at most {allowed:g} is allowed{where}; build it from the layers "
        "that docs/layers.md lists, and report it if it is"
    )


def _some(x):
    return np.asarray(x)[:: -(-len(x) // SAMPLES)]


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


def _first(model, read, x):
    """The first layer whose output differs, in words."""
    tf = stack.tensorflow()
    named = {layer.name: layer for layer in model.layers if len(layer.inbound_nodes) == 1}
    for layer, value in read.values(x[:4], named):
        wanted = _outputs(tf.keras.Model(model.inputs, named[layer.name].output), x[:4])
        if np.abs(wanted - value.numpy()).max() > TOLERANCE * max(np.abs(wanted).max(), 1e-6):
            return f", beginning with {layer.label}"
    return ""
